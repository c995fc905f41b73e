// Takes the beginning of a topic's partition away, as retention would.
import kafkajs from 'kafkajs'

export async function truncateKafka(brokers: string[], topic: string, partition: number, begin: number): Promise<void> {
  const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    await admin.fetchTopicOffsets(topic) // kafkajs deletes only in topics that it has heard of
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(begin) }] })
  } finally {
    await admin.disconnect()
  }
}
