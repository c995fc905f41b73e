import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { startKafka } from './kafka-broker.ts'
import { missingKafka } from './shared-kafka.ts'

const missing = await missingKafka()

const connects = (brokers: string) =>
  new Promise<boolean>((resolve) => {
    const [host, port] = brokers.split(':') as [string, string]
    const socket = connect(Number(port), host, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

test.skipIf(missing)('a broker can be killed and comes back on its port, and leaves no files behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'reelpulse-test-'))
  vi.stubEnv('TMPDIR', folder)
  const kafka = await startKafka()
  try {
    expect(await connects(kafka.brokers)).toBe(true)
    await kafka.kill()
    expect(await connects(kafka.brokers)).toBe(false)
    await kafka.restart()
    expect(await connects(kafka.brokers)).toBe(true)
  } finally {
    await kafka.stop()
  }
  expect(readdirSync(folder)).toEqual([])
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})
