import { expect, test } from 'vitest'
import { z } from 'zod'
import { settingGroup } from '../config/group.ts'
import { allSettings } from '../config/groups.ts'
import { readArguments, type Arguments } from './arguments.ts'
import { defineCommand, exitGood, type Command } from './command.ts'

const group = settingGroup('Thing', {
  port: { env: 'THING_PORT', schema: z.int('a whole number').max(65_535, 'at most 65535').default(80).describe('Where.') },
  hosts: { env: 'THING_HOSTS', schema: z.array(z.string()).default([]).describe('Which.') },
  password: {
    env: 'THING_PASSWORD',
    flag: null,
    secret: true,
    schema: z.string().max(3, 'at most 3 letters').optional().describe('Secret.'),
  },
})
const command = defineCommand({
  name: 'thing',
  summary: 'does it',
  help: 'Does it.',
  examples: [['thing', 'does it']],
  flags: z.object({
    maxRows: z.number().default(10).describe('How many.'),
    fast: z.boolean().default(true).describe('Quickly.'),
    order: z.enum(['asc', 'desc']).default('asc').describe('Which way.'),
  }),
  settings: { thing: group },
  positionals: [{ name: 'user_id', doc: 'Whose.' }],
  json: true,
  run: () => exitGood,
}) as unknown as Command

const read = (words: string, env: Record<string, string> = {}) => readArguments(command, words.split(' '), env)
const right = (given: Arguments) => {
  if (given.kind !== 'right') throw new Error(given.kind === 'wrong' ? given.messages.join('\n') : given.kind)
  return given
}
const wrong = (given: Arguments) => (given.kind === 'wrong' ? given.messages : [`${given.kind}, not wrong`])

test('a flag wins over the environment, and that over the default', () => {
  expect(right(read('u1')).settings).toEqual({ thing: { port: 80, hosts: [], password: undefined } })
  expect(right(read('u1', { THING_PORT: '81' })).settings['thing']).toMatchObject({ port: 81 })
  expect(right(read('u1 --port 82', { THING_PORT: '81' })).settings['thing']).toMatchObject({ port: 82 })
  expect(right(read('u1', { THING_PORT: '' })).settings['thing']).toMatchObject({ port: 80 })
})

test('numbers, switches, choices and lists are read', () => {
  const given = right(read('--max-rows=-5 --no-fast u1 --order desc --hosts a,b --hosts c --json'))
  expect(given).toMatchObject({ flags: { maxRows: -5, fast: false, order: 'desc' }, positionals: ['u1'], json: true })
  expect(given.settings['thing']).toMatchObject({ hosts: ['a', 'b', 'c'] })
})

test('every wrong one is told at once, with what it got and what it wants', () => {
  expect(wrong(read('--max-rows many --order up --port 99999', { THING_PASSWORD: 'long secret' }))).toEqual([
    '--max-rows: got "many", wants a number',
    '--order: got "up", wants one of asc, desc',
    '--port: got "99999", wants at most 65535',
    'THING_PASSWORD: got "(hidden)", wants at most 3 letters',
    '<user_id> is missing: Whose.',
  ])
})

test.each([
  ['u1 --max-row 5', 'unknown flag --max-row (did you mean --max-rows?)'],
  ['u1 --max-rows', '--max-rows needs a value: How many.'],
  ['u1 --json=5', '--json: got "5", wants true or false'],
  ['u1 --order --json', '--order needs a value before --json (write --order=--json if that is its value)'],
  ['u1 --port 1 --port 2', '--port is given twice'],
  ['u1 u2', '"u2" is one word too many'],
  ['u1 --fast=perhaps', '--fast: got "perhaps", wants true or false'],
])('%s is refused', (words, message) => {
  expect(wrong(read(words))).toEqual([message])
})

test('help is shown however wrong the rest is', () => {
  expect(read('--port x --help').kind).toBe('help')
})

test('no two settings share a flag or a variable', () => {
  const all = Object.values(allSettings).flatMap((one) => Object.entries(one.settings as Record<string, { env: string }>))
  expect(new Set(all.map(([, setting]) => setting.env)).size).toBe(all.length)
})
