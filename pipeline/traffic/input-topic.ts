// The topic that traffic is brought to: made where there is none, else taken as it is.
import type { Log, TopicSpec } from '../ports/log.ts'

/** `partitions` are those of a topic that has to be made: one that is there may have been given more since. Else a TopicMismatch where it differs. */
export async function inputTopic(log: Log, spec: TopicSpec): Promise<void> {
  const found = await log.describeTopic(spec.topic)
  await log.createTopic({ ...spec, partitions: found?.partitions.length ?? spec.partitions })
}
