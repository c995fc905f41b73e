// Brings notifications to the notifiers. What lies in this process is told at once; receivers elsewhere get what the tables say that
// they are owed, each from a pump of its own.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../log/logger.ts'
import type { Notification, Notifier } from '../../ports/notifier.ts'
import type { Store } from '../../ports/store.ts'
import { outbox } from './outbox.ts'
import { pump, type DeliveryWatch } from './pump.ts'

export type DeliveryOptions = {
  store: Store
  topic: string
  log: Logger
  /** Ends the tries; one under way is waited for, for some seconds. */
  signal: AbortSignal
  /** Pause after the first failure; it doubles up to a minute. */
  firstPauseMs?: number
  now?: () => number
  watch?: DeliveryWatch | undefined
}

/** A receiver that hangs is given up after ten seconds; a stop waits somewhat longer, not for ever. */
const stopPatienceMs = 15_000
const nobody: DeliveryWatch = { delivered: () => {}, owed: () => {} }

export function delivery(notifiers: readonly Notifier[], options: DeliveryOptions) {
  const { store, topic, log, signal, firstPauseMs = 1_000, now = Date.now, watch = nobody } = options
  const local = notifiers.filter(({ isLocal }) => isLocal === true)
  const pumps = notifiers
    .filter(({ isLocal }) => isLocal !== true)
    .map((one) => pump(one, { outbox: outbox(store, topic, one.name), log, signal, now, firstPauseMs, watch }))

  return {
    /** The transition is in the table. */
    send(notification: Notification): void {
      for (const one of local)
        one.notify(notification).catch((error: unknown) => log.warn({ err: error, notifier: one.name }, 'an alert was not taken'))
      for (const one of pumps) one.wake()
    },
    /** Resolves when nothing is owed any more; after a stop, when what was under way is through. */
    async settled(): Promise<void> {
      const all = Promise.all(pumps.map((one) => one.settled()))
      if (!signal.aborted) await all
      else await Promise.race([all, sleep(stopPatienceMs, undefined, { ref: false })])
    },
  }
}

export type Delivery = ReturnType<typeof delivery>
