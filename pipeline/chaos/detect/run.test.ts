// A few rounds for real. More of them: npm run chaos -- --detect --rounds 100.
import { expect, test } from 'vitest'
import { compareAlerts, isGood, planDetectRounds, runDetectChaos } from './run.ts'

const seed = process.env['SEED'] === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(process.env['SEED'])

test(`kill -9 of reelpulse detect loses, doubles and changes no alert (SEED=${seed})`, async () => {
  const lines = [`SEED=${seed}`]
  const plan = planDetectRounds(seed, 5)
  const figures = await runDetectChaos({ plan, seed, note: (line) => lines.push(line), signal: new AbortController().signal })
  expect(isGood(figures), `${lines.join('\n')}\n${JSON.stringify(figures, null, 2)}`).toBe(true)
  expect(figures.rounds).toBe(plan.length)
  expect(figures.fired).toBeGreaterThan(1)
}, 600_000)

const row = (sequence: number, state: string, more = {}) => ({ alert_id: 'a', sequence, state, kpi: 'k', dimension: 'channel', value: 'ad', reason: 'r', ...more }) // prettier-ignore
const life = [row(0, 'pending'), row(1, 'firing'), row(2, 'resolved')]
const told = (...bodies: readonly object[]) => ({ taken: () => bodies.map((body) => ({ body: body as Record<string, unknown> })) })

test.each([
  ['all is well', life, life, { lost: 0, doubled: 0, differ: 0, repeats: 0 }],
  ['the same one twice at the receiver is one', life, [life[0]!, life[0]!, life[1]!, life[2]!], { lost: 0, doubled: 0, differ: 0, repeats: 1 }],
  ['a row that is missing is lost', life.slice(0, 2), life, { lost: 1, doubled: 0, differ: 0 }],
  ['one that was never told is lost', life, life.slice(0, 2), { lost: 1, doubled: 0, differ: 0 }],
  ['a row that is there twice is doubled', [...life, life[1]!], life, { lost: 0, doubled: 1, differ: 0 }],
  ['another alert on the cell while one is open is doubled', life, [life[0]!, life[1]!, row(0, 'pending', { alert_id: 'b' }), life[2]!], { doubled: 1 }],
  ['a row with other figures differs', [life[0]!, row(1, 'firing', { reason: 'other' }), life[2]!], life, { lost: 0, differ: 1 }],
  ['a row that nobody should have stored differs', [...life, row(3, 'firing')], life, { lost: 0, differ: 1 }],
  ['what overtakes differs', life, [life[1]!, life[0]!, life[2]!], { differ: 2 }],
])('compared: %s', (_, stored, taken, counted) => {
  expect(compareAlerts(life, stored, told(...taken))).toMatchObject(counted)
}) // prettier-ignore
