import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { defaultSettings } from '../../operators/settings.ts'
import { readGroup } from './group.ts'
import { processSettings } from './groups.ts'
import { operatorSettingsOf } from './operator-settings.ts'

const directory = mkdtempSync(join(tmpdir(), 'reelpulse-config-'))
afterAll(() => rmSync(directory, { recursive: true }))
const file = (name: string, content: string) => {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}
const settingsOf = (env: Record<string, string>) => operatorSettingsOf(readGroup(processSettings, env, new Map(), []))

test('without a word the operators get their own defaults', () => {
  expect(settingsOf({})).toEqual(defaultSettings)
})

test('a list given by itself wins over the file, and that over the default', () => {
  const path = file('lists.yaml', 'channel: [a, b]\nsurface:\n  - feed\n')
  const { dimensions } = settingsOf({ REELPULSE_DIMENSIONS: path, REELPULSE_CHANNELS: 'x, y' })
  expect(dimensions).toEqual({ ...defaultSettings.dimensions, channel: ['x', 'y'], surface: ['feed'] })
})

test('JSON is read too', () => {
  expect(settingsOf({ REELPULSE_DIMENSIONS: file('lists.json', '{"category": ["tea"]}') }).dimensions.category).toEqual(['tea'])
})

test.each([
  ['an unknown list', 'chanel: [a]', /"chanel"/],
  ['no list', 'channel: a', /channel: a list of words/],
  ['an empty list', 'channel: []', /channel: at least one word/],
  ['no YAML', 'channel: [', /that can be read/],
])('a file with %s is refused with what is wrong', (_, content, message) => {
  const path = file('wrong.yaml', content)
  expect(() => settingsOf({ REELPULSE_DIMENSIONS: path })).toThrow(message)
  expect(() => settingsOf({ REELPULSE_DIMENSIONS: path })).toThrow(path)
})
