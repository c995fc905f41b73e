import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { commandNames } from '../pipeline/cli/main.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const documented = [...readme.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1]!)

test('the README lists every command, and no other', () => {
  expect(documented.toSorted()).toEqual(commandNames())
})
