// docker-compose.yml cannot be run without Docker: this holds it to what can be checked without.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { boards } from '../../dashboards/all-boards.ts'
import { generatedFiles } from '../../dashboards/generate.ts'
import { readArguments } from '../cli/arguments.ts'
import { commandNames, loadCommand } from '../cli/main.ts'
import { allSettings, defaultPort } from '../config/groups.ts'
import { openMonitoring } from '../start/monitoring.ts'

type Service = {
  build?: string
  image?: string
  command?: string[]
  environment?: Record<string, string | number>
  volumes?: string[]
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { test: string[] }
  ports?: string[]
}
type Compose = { services: Record<string, Service>; volumes: Record<string, null> }

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const compose = parse(read('docker-compose.yml'), { merge: true }) as Compose
const services = Object.entries(compose.services)
const roles = services.filter(([, service]) => service.build !== undefined)
const variables = Object.fromEntries(
  [...read('compose.env.example').matchAll(/^([A-Z_]+)=/gm)].map((match) => [match[1]!, 'secret'] as const),
)

/** As compose fills in `${NAME:?message}` and `${NAME:-default}`. */
const filled = (value: string | number) =>
  String(value).replaceAll(/\$\{(\w+):[?-][^}]*\}/g, (_, name: string) =>
    name.startsWith('REELPULSE_WEBHOOK_') ? '' : (variables[name] ?? 'MISSING'),
  )

test('the roles are those that the pipeline has so far', () => {
  expect(roles.map(([name]) => name)).toEqual(['process', 'detect', 'simulate'])
})

test.each(roles)('%s runs a command that there is, with flags and settings that it takes', async (_, { command, environment }) => {
  const [name = '', ...words] = command ?? []
  expect(commandNames()).toContain(name)
  const env = Object.fromEntries(Object.entries(environment ?? {}).map(([key, value]) => [key, filled(value)]))
  expect(readArguments(await loadCommand(name), words, env)).toMatchObject({ kind: 'right' })
  const known = Object.values(allSettings).flatMap((group) => Object.values(group.settings).map((setting) => setting.env as string))
  for (const variable of Object.keys(env)) expect(known).toContain(variable)
})

test.each(roles.filter(([name]) => name !== 'simulate'))('%s is healthy once /readyz says that it is ready', async (_, { healthcheck }) => {
  const [how, node, ...words] = healthcheck!.test
  expect([how, node]).toEqual(['CMD', 'node'])
  const monitoring = await openMonitoring({ serve: { host: '127.0.0.1', port: 0 }, logger: { info() {}, warn() {} } })
  const url = `${monitoring.url()}/`
  const exit = async () => {
    const check = words.map((word) => word.replace(`http://127.0.0.1:${defaultPort}/`, url))
    expect(check.join(' ')).toContain(`${url}readyz`)
    return ((await once(spawn(process.execPath, check), 'exit')) as [number])[0]
  }
  try {
    const tell = monitoring.role('one')
    expect(await exit()).toBe(1)
    tell('running')
    expect(await exit()).toBe(0)
  } finally {
    await monitoring.close()
  }
  expect(await exit()).toBe(1)
})

test.each(services)('what %s mounts is there', (_, { volumes = [] }) => {
  for (const volume of volumes) {
    const [source = ''] = volume.split(':')
    const there = source.startsWith('.') ? existsSync(new URL(source, root)) : Object.hasOwn(compose.volumes, source)
    expect(there, source).toBe(true)
  }
})

test.each(services)('%s waits only for services that say when they are healthy', (_, { depends_on: needs = {} }) => {
  for (const [name, { condition }] of Object.entries(needs)) {
    expect(condition).toBe('service_healthy')
    expect(compose.services[name]?.healthcheck?.test.length, name).toBeGreaterThan(1)
  }
})

test('every variable that compose.yml wants is in the example of the env file, and no secret stands in either', () => {
  const wanted = [...read('docker-compose.yml').matchAll(/\$\{(\w+)/g)].map((match) => match[1]!)
  expect(new Set(wanted)).toEqual(new Set(Object.keys(variables)))
  expect(read('compose.env.example')).not.toMatch(/^[A-Z_]+=./m)
  const passwords = services.flatMap(([, { environment = {} }]) => Object.entries(environment).filter(([key]) => key.endsWith('PASSWORD')))
  for (const [key, value] of passwords) expect(value, key).toMatch(/^\$\{/)
})

test('ports are open to this machine only', () => {
  for (const [, { ports = [] }] of services) for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
})

test('Grafana finds the boards and the data source where the files say', () => {
  const { environment = {}, volumes = [] } = compose.services['grafana']!
  const { providers } = parse(read('dashboards/grafana/provisioning/dashboards/reelpulse.yaml')) as {
    providers: [{ options: { path: string } }]
  }
  const mounted = volumes.map((volume) => volume.split(':')).find(([, target]) => target === providers[0].options.path)
  expect(`${mounted?.[0]}/`).toBe('./dashboards/grafana/boards/')
  for (const { path } of generatedFiles()) expect(path).toMatch(/^dashboards\/grafana\/boards\/[\w-]+\.json$/)
  const datasources = read('dashboards/grafana/provisioning/datasources/clickhouse.yaml')
  for (const [, variable] of datasources.matchAll(/\$(\w+)/g)) expect(Object.keys(environment)).toContain(variable)
  expect(compose.services).toHaveProperty(String(environment['CLICKHOUSE_HOST']))
})

test('the image copies what is there, and does not run as root', () => {
  const dockerfile = read('Dockerfile')
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((match) => match[1]!.split(' '))
  expect(copied.length).toBeGreaterThan(5)
  for (const path of copied) expect(existsSync(new URL(path, root)), path).toBe(true)
  expect(dockerfile.match(/^USER (\w+)$/m)?.[1]).toBe('node')
  const [, entry = ''] = /^ENTRYPOINT \["node", "(.+)"\]$/m.exec(dockerfile) ?? []
  expect(existsSync(new URL(entry, root))).toBe(true)
  expect(read('.dockerignore').split('\n')).toEqual(expect.arrayContaining(['.git', '.env', 'data', 'node_modules']))
})

test('Prometheus scrapes services that there are, and finds its rules and its Alertmanager', () => {
  const {
    scrape_configs: scrapes,
    alerting,
    rule_files: rules,
  } = parse(read('pipeline/deploy/prometheus/prometheus.yaml')) as {
    scrape_configs: [{ dns_sd_configs: [{ names: string[]; port: number }] }]
    alerting: { alertmanagers: [{ static_configs: [{ targets: string[] }] }] }
    rule_files: string[]
  }
  const { names } = scrapes[0].dns_sd_configs[0]
  expect(names).toEqual(['process', 'detect'])
  for (const name of [...names, ...alerting.alertmanagers[0].static_configs[0].targets.map((target) => target.split(':')[0]!)])
    expect(compose.services).toHaveProperty(name)
  for (const file of rules) expect(existsSync(new URL(`pipeline/deploy/prometheus/${file}`, root))).toBe(true)
  expect(compose.services['detect']!.environment!['REELPULSE_BOARD_URL']).toBe(`http://localhost:3000/d/${boards[0]!.uid}`)
})
