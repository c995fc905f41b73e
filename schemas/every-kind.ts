// For tests: a table with a column of every kind, so that what follows from field tables can be held against the real thing.
import { behaviorEvent } from './behavior-batch.ts'
import * as field from './field.ts'
import { table } from './table.ts'

export const everyKindTable = table({
  name: 'every_kind',
  record: field.fieldTable('EveryKind', {
    id: field.uint32(),
    text: field.string('It\'s a "doc" with \\ and `ticks`.'),
    word: field.word(),
    raw: field.bytes(),
    uuid: field.uuid(),
    choice: field.enumeration('Choice', ['a', "b's", 'c\\d']),
    at: field.instant(),
    small: field.uint8(),
    port: field.uint16(),
    delta: field.int32(),
    big: field.int64(),
    total: field.uint64(),
    ratio: field.float64(),
    labels: field.stringMap(),
    words: field.list(field.word()),
    floats: field.list(field.float64()),
    pairs: field.list(field.list(field.nullable(field.int32()))),
    maybe_text: field.nullable(field.string()),
    maybe_word: field.nullable(field.word()),
    maybe_uuid: field.nullable(field.uuid()),
    maybe_choice: field.nullable(field.enumeration('Choice', ['a', "b's", 'c\\d'])),
    maybe_at: field.nullable(field.instant()),
    maybe_big: field.nullable(field.int64()),
    event: field.nested(behaviorEvent),
  }),
  engine: { kind: 'latest', version: 'at' },
  orderBy: ['id', 'word'],
  partitionBy: 'toYYYYMM(at)',
})
