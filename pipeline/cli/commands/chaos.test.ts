import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { exitFailed } from '../command.ts'

test('where no broker can be had, chaos says what is missing, and what needs none', async () => {
  const bin = fileURLToPath(new URL('../bin.js', import.meta.url))
  const env = { ...process.env, PATH: '/nonexistent', REELPULSE_REQUIRE_BACKENDS: '' }
  const child = spawn(process.execPath, [bin, 'chaos', '--rounds', '1', '--seed', '5'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const code = await new Promise((resolve) => child.once('close', resolve))
  expect(said).toContain('seed 5')
  expect(said).toContain('a Kafka broker needs java and mvn, or docker; --embedded needs neither')
  expect(code).toBe(exitFailed)
})
