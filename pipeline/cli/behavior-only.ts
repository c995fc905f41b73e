// What cannot be done to a topic of customer signals says so, and touches nothing.
import { isSignalsTopic } from '../config/names.ts'
import { UsageError } from './command.ts'

/** Throws a UsageError where the topic holds customer signals. */
export function behaviorOnly(topic: string, command: string): void {
  if (isSignalsTopic(topic))
    throw new UsageError(
      `topic ${topic} holds customer signals, and ${command} is for behaviour: docs/guide/signals.md says what there is for them`,
    )
}
