// The topic that traffic is brought to: made where there is none, else taken as it is.
import { TopicMismatch, type Log, type TopicSpec } from '../ports/log.ts'

/** `partitions` are those of a topic that has to be made: one that is there may have been given more since. Else a TopicMismatch where it differs. */
export async function inputTopic(log: Log, spec: TopicSpec): Promise<void> {
  const found = await log.describeTopic(spec.topic)
  try {
    await log.createTopic({ ...spec, partitions: found?.partitions.length ?? spec.partitions })
  } catch (error) {
    throw error instanceof TopicMismatch ? new TopicMismatch(`${error.message}; give another --topic`, { cause: error }) : error
  }
}
