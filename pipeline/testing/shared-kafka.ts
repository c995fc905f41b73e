// The broker that all test files of one run share: topics are the tests' own (give them unique names), the broker is not.

import { inject } from 'vitest'
import { kafkaBackend } from './kafka-broker.ts'

/** What is missing on this machine, or undefined where a broker can be had: `describe.skipIf(reason)`. Starts nothing. */
export async function missingKafka(): Promise<string | undefined> {
  const backend = await kafkaBackend()
  return 'missing' in backend ? backend.missing : undefined
}

/** `host:port` of the shared broker; the first call of a run starts it, which takes seconds. */
export async function sharedKafka(): Promise<string> {
  const response = await fetch(`${inject('sharedServersUrl')}/kafka`)
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  return text
}
