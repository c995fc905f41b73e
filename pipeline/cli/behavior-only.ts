// What cannot be done to a topic of customer signals says so, and why, and touches nothing.
import { isSignalsTopic } from '../config/names.ts'
import { UsageError } from './command.ts'

const reasons = {
  repartition:
    'it moves what is kept of users, and of signals only ids are: their topic keeps the partitions that it began with, or begins anew under another name',
  detect: 'it watches the KPIs of signals beside those of their topic of behaviour: name that one',
  refit: 'its models are made of purchases, which are behaviour',
  serve: 'its boards show signals beside their topic of behaviour: name that one',
  start: 'it runs signals beside its topic of behaviour by itself: name that one',
  simulate: 'it writes flushes of behaviour; simulated signals come with npm start, and beside their topic of behaviour with --signals',
  import: 'its mapping makes events of behaviour',
} as const

/** Throws a UsageError where the topic holds customer signals. */
export function behaviorOnly(topic: string, command: keyof typeof reasons): void {
  if (isSignalsTopic(topic))
    throw new UsageError(
      `topic ${topic} holds customer signals, and ${command} is for behaviour: ${reasons[command]} (docs/guide/signals.md says what there is for them)`,
    )
}
