# docker build -t patroniglue .
# docker run --network=host -v /etc/patroniglue:/etc/patroniglue:ro patroniglue
#
# Variables of the environment do without a file: docker run --network=host -e PATRONIGLUE_FRONTEND_PORT=8009 patroniglue
#
# With podman or buildah, use `build --format docker`: images in OCI's own format have no health check.
FROM node:22-alpine AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY scripts ./scripts
COPY src ./src
COPY bench ./bench
COPY demo ./demo
COPY test ./test
RUN npm run -s build

# Alpine has Node, a C library and a shell for troubleshooting: 60 MB. The build installs nothing else into it.
FROM node:22-alpine
WORKDIR /app
ENV NODE_ENV=production
COPY LICENSE config.yml.example ./
COPY --from=build /app/build/bundle/patroniglue.cjs /app/build/bundle/THIRD-PARTY-LICENSES.txt ./
# A number, because Kubernetes' runAsNonRoot cannot tell from a name that the user is not root.
USER 65532:65532
STOPSIGNAL SIGTERM
# config.yml says where patroniglue listens. If that is not localhost:8009, set the same address here for the health check.
ENV PATRONIGLUE_HEALTHY=http://127.0.0.1:8009/-/healthy
# busybox's wget takes a millisecond or two. Starting Node every five seconds would use more CPU than the service itself.
HEALTHCHECK --interval=5s --timeout=2s --start-period=5s --retries=3 \
  CMD ["sh", "-c", "wget -q -O /dev/null --no-check-certificate \"$PATRONIGLUE_HEALTHY\" || exit 1"]
# Reads /etc/patroniglue/config.yml if it is there. With `--config` here, variables of the environment would not be enough.
ENTRYPOINT ["node", "patroniglue.cjs"]
