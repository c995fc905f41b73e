// Waiting for something that is about to be true: as long as a test may take, so that none fails by the clock.
import { expect } from 'vitest'

export const soon = <T>(read: () => T) => expect.poll(read, { timeout: 50_000, interval: 20 })
