// Holds the pages to what is there: links, files that they name, settings.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { allSettings } from '../pipeline/config/groups.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]
const textOf = (page: string) => readFileSync(join(root, page), 'utf8')

/** As GitHub makes it of a heading. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
const anchorsOf = (page: string) => [...textOf(page).matchAll(/^#+ (.+)$/gm)].map((match) => anchor(match[1]!))

test.each(pages)('%s: every link leads somewhere', (page) => {
  const broken = [...textOf(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].filter(([, path, part]) => {
    const target = path === '' ? page : join(dirname(page), path!)
    return !existsSync(join(root, target)) || (part !== undefined && !anchorsOf(target).includes(part))
  })
  expect(broken.map(([link]) => link)).toEqual([])
})

test.each(pages)('%s: every file that it names is there', (page) => {
  const named = [...textOf(page).matchAll(/(?<![\w./-])(?:schemas|operators|dashboards|pipeline|docs)\/[\w./-]*\w/g)].map(
    (match) => match[0],
  )
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([])
})

test("the guide's index leads to every page of it, each once", () => {
  const linked = [...textOf('docs/guide/README.md').matchAll(/^\d+\. \[[^\]]+\]\(([\w-]+\.md)\)/gm)].map(
    (match) => `docs/guide/${match[1]}`,
  )
  expect(linked.toSorted()).toEqual(pages.filter((page) => page.startsWith('docs/guide/') && !page.endsWith('/README.md')).toSorted())
})

test('running.md names every setting', () => {
  const page = textOf('docs/guide/running.md')
  const variables = Object.values(allSettings).flatMap((group) => Object.values(group.settings).map((setting) => setting.env))
  expect(variables.filter((variable) => !new RegExp(`\\b${variable}\\b`).test(page))).toEqual([])
})
