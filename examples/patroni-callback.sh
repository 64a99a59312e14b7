#!/bin/sh
# For postgresql.callbacks.on_role_change and .on_stop in patroni.yml: patroniglue on this host asks Patroni at once.
# Write frontend.host and .port here; with HTTPS, https:// and -k; with frontend.proxy-protocol, --haproxy-protocol.
exec curl -fsS -m 1 -o /dev/null -X POST http://localhost:8009/-/refresh
