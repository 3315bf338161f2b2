// A member of a group by kafkajs: `member.js ADDRESS GROUP TOPIC,TOPIC`, until SIGTERM.
//
// Prints `assigned TOPIC:PARTITION,…` after each rebalance, and `handled TOPIC PARTITION FIRST LAST` before it commits.
import { Kafka, logLevel } from 'kafkajs'

const [address, groupId, topics] = process.argv.slice(2)
const kafka = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING, retry: { retries: 100, maxRetryTime: 2000 } })
const consumer = kafka.consumer({
  groupId, sessionTimeout: 6000, heartbeatInterval: 1000, rebalanceTimeout: 60000, metadataMaxAge: 2000, maxWaitTimeInMs: 200,
})
const say = text => process.stdout.write(`${text}\n`)

consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
  const owned = Object.entries(payload.memberAssignment)
  say(`assigned ${owned.flatMap(([topic, indexes]) => indexes.map(index => `${topic}:${index}`)).sort().join(',')}`)
})
let ending = false
process.on('SIGTERM', async () => {
  if (!ending) {
    ending = true
    await consumer.disconnect()
    process.exit(0)
  }
})
await consumer.connect()
await consumer.subscribe({ topics: topics.split(','), fromBeginning: true })
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch, isRunning, isStale, resolveOffset, heartbeat }) => {
    if (!isRunning() || isStale() || batch.isEmpty()) return
    say(`handled ${batch.topic} ${batch.partition} ${batch.firstOffset()} ${batch.lastOffset()}`)
    resolveOffset(batch.lastOffset())
    const offset = String(BigInt(batch.lastOffset()) + 1n)
    await consumer.commitOffsets([{ topic: batch.topic, partition: batch.partition, offset }])
    await heartbeat()
  },
})
