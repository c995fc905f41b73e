// Keeps the tree tidy where the linter's rules do not reach: each library behind its adapter, a first comment in every file.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))

type Source = { path: string; text: string; imports: string[] }

const sources: Source[] = ['schemas', 'operators', 'dashboards', 'pipeline'].flatMap((folder) =>
  readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .map((path) => {
      const text = readFileSync(root + path, 'utf8')
      return { path, text, imports: importsOf(text) }
    }),
)

/** What a file imports, statically or not, as a type or not: also `export … from` and `import('…')`. */
function importsOf(text: string): string[] {
  return [...text.matchAll(/(?:^|[;}\s])(?:import|export)\s(?:[^'";]*?\sfrom\s)?\s*'([^']+)'|\bimport\(\s*'([^']+)'/gm)].map(
    (match) => match[1] ?? match[2]!,
  )
}

/** Where a library may be imported: the adapters that hide it, and the tests and tools that look at what lies behind. */
const homes: Readonly<Record<string, readonly RegExp[]>> = {
  kafkajs: [/^pipeline\/adapters\/kafka/, /^pipeline\/bench\/kafka-/, /^pipeline\/testing\//],
  '@clickhouse/client': [/^pipeline\/adapters\/clickhouse-/, /^pipeline\/testing\//],
  chdb: [/^pipeline\/engine\//],
  avsc: [/^pipeline\/adapters\/(avro|topic-notifier\.test)/, /^(schemas|operators|pipeline\/traffic)\/.*\.test\.ts$/],
  'node:sqlite': [/^pipeline\/adapters\/embedded/],
  'csv-parse': [/^pipeline\/(import|evaluate)\//],
  pino: [/^pipeline\/log\//],
  'pino-pretty': [/^pipeline\/log\//],
  'prom-client': [/^pipeline\/metrics\//],
  esbuild: [/^pipeline\/roles\/serve\/bundle/],
  preact: [/^dashboards\/live\//],
  uplot: [/^dashboards\/live\//],
  'puppeteer-core': [/^pipeline\/testing\//],
  'axe-core': [/^pipeline\/testing\//],
  testcontainers: [/^pipeline\/testing\//],
}

test('every library is imported only where it is hidden', () => {
  const strays = sources.flatMap(({ path, imports }) =>
    imports.flatMap((name) => {
      const library = Object.keys(homes).find((known) => name === known || name.startsWith(`${known}/`))
      return library === undefined || homes[library]!.some((home) => home.test(path)) ? [] : [`${path} imports ${name}`]
    }),
  )
  expect(strays).toEqual([])
})

test('imports within the project end in .ts', () => {
  const strays = sources.flatMap(({ path, imports }) =>
    imports.filter((name) => name.startsWith('.') && !/\.(tsx?|json|css)$/.test(name)).map((name) => `${path} imports ${name}`),
  )
  expect(strays).toEqual([])
})

test('every file says first what it is for', () => {
  // A test file is for the file it is named after.
  const silent = sources.filter(({ path, text }) => !path.endsWith('.test.ts') && !/^\/(\/ |\*\* |\*\*\n \* )\S/.test(text))
  expect(silent.map(({ path }) => path)).toEqual([])
})

test('no operator asks what time it is', () => {
  const asking = sources.filter(({ path, text }) => /^operators\/(?!.*\.test\.ts$)/.test(path) && /new Date\(\)|Temporal\.Now/.test(text))
  expect(asking.map(({ path }) => path)).toEqual([])
})
