// Where an alert's change likely came from: what the attribution of each of its revisions found. The views `open_alerts` and
// `alert_history` have the latest.
import { enumeration, fieldTable, float64, instant, list, string, stringMap, uint32, uint8, uuid, word, type Row } from '../field.ts'
import { table } from '../table.ts'

/** `mix`: rates stayed, traffic moved. `unclear`: no cell stands out, or nothing could be compared. */
export const causeVerdicts = ['cells', 'everything', 'mix', 'unclear'] as const
export type CauseVerdict = (typeof causeVerdicts)[number]

export const alertCausesTable = table({
  name: 'alert_causes',
  record: fieldTable('AlertCauseRow', {
    alert_id: uuid(),
    revision: uint8('0: when it fired. 1: some buckets later. 2: when it was resolved. The greatest is the latest.'),
    rank: uint32('0: everything together, which every revision has. From 1: the causes, strongest first.'),
    verdict: enumeration('CauseVerdict', causeVerdicts),
    cell: string('Such as `channel ad, region CN-11`; rank 0: empty.'),
    cell_values: stringMap('The same by dimension. An empty value: events without one.'),
    share: float64("Of the KPI's change, what the cell adds to it."),
    numerator_effect: float64("What the cell adds to the change through its numerator, in the KPI's units."),
    denominator_effect: float64('Through its denominator. The two together are rate_effect + mix_effect.'),
    rate_effect: float64('What its leaves’ own rates add.'),
    mix_effect: float64('What traffic adds that moved.'),
    score: float64('By how much likelier the leaves are if the cell moved (natural logarithm); rank 0: 0.'),
    actual: float64("The cell's numerator in the window; rank 0: the KPI."),
    expected: float64('What its baseline rates would have given at the same traffic; rank 0: the KPI in the baseline.'),
    computed_at: instant('Log time: of events with a clock_at before it the revision was made.'),
    window_from: instant('Start of the window that is explained.'),
    window_to: instant('Its end.'),
    baseline_from: instant('Start of the earliest window that it is compared with; they end where it begins.'),
    baseline_windows: uint32('How many of them were normal, and were taken.'),
    leaves: uint32('Finest cells that were read.'),
    dimensions: list(word(), 'What they differ in.'),
    remark: string('Why nothing is said, or not of all dimensions; else empty.'),
  }),
  engine: { kind: 'append' },
  orderBy: ['alert_id', 'revision', 'rank'],
  partitionBy: 'toYYYYMM(computed_at)',
})
export type AlertCauseRow = Row<typeof alertCausesTable.record>
