// A real ClickHouse server for tests: the one that CLICKHOUSE_URL names, else one in a container where Docker works.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export type RunningServer = { url: string; user: string; password: string; stop(): Promise<void> }

const image = 'clickhouse/clickhouse-server:26.7'

/** What is missing on this machine, or undefined where a server can be had. Starts nothing. */
export async function missingClickHouse(): Promise<string | undefined> {
  if (process.env['CLICKHOUSE_URL']) return undefined
  const docker = await promisify(execFile)('docker', ['info']).then(
    () => true,
    () => false,
  )
  return docker
    ? undefined
    : 'needs a ClickHouse server: set CLICKHOUSE_URL, CLICKHOUSE_USER and CLICKHOUSE_PASSWORD, or let `docker info` succeed'
}

export async function startClickHouse(): Promise<RunningServer> {
  const { CLICKHOUSE_URL: url, CLICKHOUSE_USER: user = 'default', CLICKHOUSE_PASSWORD: password = '' } = process.env
  if (url) return { url, user, password, stop: async () => {} }
  const { GenericContainer, Wait } = await import('testcontainers')
  const credentials = { user: 'reelpulse', password: 'reelpulse' }
  const container = await new GenericContainer(image)
    .withEnvironment({ CLICKHOUSE_USER: credentials.user, CLICKHOUSE_PASSWORD: credentials.password })
    .withExposedPorts(8123)
    .withWaitStrategy(Wait.forHttp('/ping', 8123))
    .start()
  return {
    url: `http://${container.getHost()}:${container.getMappedPort(8123)}`,
    ...credentials,
    stop: async () => {
      await container.stop()
    },
  }
}
