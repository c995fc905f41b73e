// `reelpulse doctor`: looks at log, store and machine, and says what is wrong and how to cure it.
import { pipelineSettings, processSettings } from '../../config/groups.ts'
import { pick } from '../../config/group.ts'
import { defineCommand, exitFailed, exitFinding, exitGood } from '../command.ts'

export const command = defineCommand({
  name: 'doctor',
  summary: 'look at log, store and machine: what is wrong, and how to fix it',
  help: `Checks topics (timestamps, partitions, retention, compaction, replication), each partition's checkpoint, lag and clock, the store's
version, tables, views, deduplication windows and room, and whether the newest rows are there once. It changes nothing, and may run
beside everything else. Give it the settings that the pipeline runs with.

The last line says how many checks were made, and how many problems and warnings there are. Exits 1 where there is a problem, 3 where
neither log nor store could be looked at.`,
  examples: [
    ['doctor', 'The embedded log and engine under ./data.'],
    ['doctor --brokers kafka:9092 --clickhouse-url http://clickhouse:8123 --json', 'Servers; ends with every check as JSON.'],
  ],
  settings: { ...pipelineSettings, process: pick(processSettings, ['blockSpanS', 'checkpointS']) },
  json: true,
  async run({ settings, json, print, result }) {
    const [{ gather, judge }, { lastLine, renderFindings, tallyOf }] = await Promise.all([
      import('../../doctor/doctor.ts'),
      import('../../doctor/render.ts'),
    ])
    const facts = await gather(settings)
    const findings = judge(facts)
    const tally = tallyOf(findings)
    if (!json) print(`${renderFindings(findings)}\n\n${lastLine(tally)}`)
    result({ ...tally, findings })
    if (facts.log.state === 'away' && facts.store.state === 'away') return exitFailed
    return tally.problems > 0 ? exitFinding : exitGood
  },
})
