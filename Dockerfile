# The program with what it needs to run, and nothing that it needs only for development.
FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY schemas ./schemas
COPY operators ./operators
COPY dashboards ./dashboards
COPY pipeline ./pipeline
# State of the embedded default, where one runs it without Kafka and ClickHouse: mount a volume here.
RUN mkdir /data && chown node:node /data
ENV REELPULSE_DATA=/data
USER node
ENTRYPOINT ["node", "pipeline/cli/bin.js"]
CMD ["--help"]
