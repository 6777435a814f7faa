# AEGIS in a container. It runs each agent in a container beside its own, through the engine's API;
# see docs/containers.md for what that means for security.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS package
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN npm ci --no-audit --no-fund --loglevel=error && npm pack --loglevel=error \
  && mv aegis-*.tgz /aegis.tgz

FROM ${NODE_IMAGE}
# The image's own Node is recent enough: the one that comes as an optional dependency is left out.
COPY --from=package /aegis.tgz /tmp/aegis.tgz
RUN npm install --global --omit=optional --no-audit --no-fund --loglevel=error /tmp/aegis.tgz \
  && rm /tmp/aegis.tgz
# A new volume takes over its owner and mode.
RUN install -d -o node -g node -m 0700 /var/lib/aegis
COPY packaging/node-config.yaml /etc/aegis/config.yaml
USER node
ENV AEGIS_HOME=/var/lib/aegis NODE_ENV=production
VOLUME /var/lib/aegis
EXPOSE 8000
# The command itself succeeds whatever it finds.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD aegis daemon status | grep -q '^Daemon is running'
ENTRYPOINT ["aegis"]
CMD ["daemon", "start", "--foreground"]
