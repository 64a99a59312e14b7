#!/bin/sh
# For postgresql.callbacks.on_role_change and .on_stop in patroni.yml: makes patroniglue on this host poll Patroni at once.
# Write your frontend.host and .port. With HTTPS, write https:// and add -k. With frontend.proxy-protocol, add
# --haproxy-protocol.
exec curl -fsS -m 1 -o /dev/null -X POST http://localhost:8009/-/refresh
