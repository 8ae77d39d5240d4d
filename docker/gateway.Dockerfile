# The gateway for Cloud Run: docs/gateway.md says how to deploy it.
# Configuration comes from the environment: STATEWARDEN_GATEWAY_UPSTREAM, STATEWARDEN_GATEWAY_STORE, and PORT, which Cloud Run sets.
# No HEALTHCHECK: the platform asks GET /.gateway/health.
FROM node:24-slim
ARG STATEWARDEN_VERSION=latest
ENV NODE_ENV=production
RUN npm install --global --ignore-scripts "statewarden@${STATEWARDEN_VERSION}" "xstate@>=5.28.0 <6" "redis@>=6.0.0 <7" && npm cache clean --force
USER node
EXPOSE 8080
CMD ["statewarden","gateway","--host","0.0.0.0","--log"]
