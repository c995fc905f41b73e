// What a role asks of the store at its start, as soon as the store answers: who starts during an outage waits for its end, as who runs does.
import { systemClock } from '../adapters/system-clock.ts'
import { views } from '../../operators/views.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import type { Logger } from '../log/logger.ts'
import type { Store } from '../ports/store.ts'
import { unlessAborted } from '../unless-aborted.ts'
import { untilAcknowledged } from '../roles/process/until-acknowledged.ts'
import type { TopicPlan } from './topic-plan.ts'

/** Brings the tables to their form. False where `signal` came first. */
export const migrateWhenThere = (
  store: Store,
  signal: AbortSignal,
  logger: Pick<Logger, 'warn'>,
  form: Pick<TopicPlan, 'tables' | 'views'> = { tables, views },
): Promise<boolean> => whenThere(() => store.migrate(form.tables, form.views), signal, logger)

/** `work` may be begun again at any time. False where `signal` came first. */
export async function whenThere(work: () => Promise<void>, signal: AbortSignal, logger: Pick<Logger, 'warn'>): Promise<boolean> {
  try {
    await untilAcknowledged(() => unlessAborted(signal, work()), signal, {
      clock: systemClock,
      onRetry(error, attempt) {
        if (attempt === 1 || attempt % 10 === 0) logger.warn({ attempt, error: error.message }, 'the store does not answer; waiting')
      },
    })
    return true
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}
