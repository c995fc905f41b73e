// Loaded into a program that is measured (node --expose-gc --import): asked over IPC, it says what its memory holds after a full collection.
import { setImmediate as soon } from 'node:timers/promises'

async function tell(): Promise<void> {
  globalThis.gc?.()
  // Buffers are given back a turn later.
  await soon()
  globalThis.gc?.()
  process.send?.(process.memoryUsage())
}

process.on('message', (message) => {
  if (message === 'memory') void tell()
})
// It must not keep the program from ending.
process.channel?.unref()
