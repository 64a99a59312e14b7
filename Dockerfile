# docker build -t patroniglue .
# docker run --network=host -v /etc/patroniglue:/etc/patroniglue:ro patroniglue
#
# With podman or buildah: `build --format docker`, or the health check is left out, which OCI's own format does not have.
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
RUN npm prune --omit=dev --ignore-scripts

# Alpine: Node and a C library, 60 MB, with a shell for whoever has to look inside. Nothing is installed into it.
FROM node:22-alpine
WORKDIR /app
ENV NODE_ENV=production
COPY package.json config.yml.example ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/build/src ./build/src
# A number, so that Kubernetes' runAsNonRoot can see that it is not root.
USER 65532:65532
STOPSIGNAL SIGTERM
# Where it listens is said in config.yml; say it here, too, where that is not port 8009 of the container's own localhost.
ENV PATRONIGLUE_HEALTHY=http://127.0.0.1:8009/-/healthy
# By busybox, a millisecond or two: a Node every five seconds would take more of the CPU than the service does.
HEALTHCHECK --interval=5s --timeout=2s --start-period=5s --retries=3 \
  CMD ["sh", "-c", "wget -q -O /dev/null --no-check-certificate \"$PATRONIGLUE_HEALTHY\" || exit 1"]
ENTRYPOINT ["node", "build/src/main.js"]
CMD ["--config", "/etc/patroniglue/config.yml"]
