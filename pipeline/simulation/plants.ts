// Bugs that are planted to see whether the simulation finds them: each changes a line or two of the sources as they are
// loaded. A place that is no longer there as written is an error, so that a plant cannot silently plant nothing.

export type Plant = {
  /** Within so many seeds it must be found. */
  seeds: number
  says: string
  changes: readonly { file: string; find: string; replace: string }[]
}

/** What would hide some of them: the store is asked for what it acknowledged. */
const nobodyAsks = [
  { file: 'pipeline/roles/process/partition-blocks.ts', find: '      await blocks.confirm()', replace: '' },
  { file: 'pipeline/roles/process/insert.ts', find: 'if (tries === 1 && (isOwn || !hooks.isDoubtful())) break', replace: 'break' },
]

export const plants: Readonly<Record<string, Plant>> = {
  'restore-before-fence': {
    says: 'the changelog is read first, and the earlier owner fenced only then',
    seeds: 200,
    changes: [
      {
        file: 'pipeline/simulation/log.ts',
        find: `const epoch = await call('claim', () => server.fence(id))`,
        replace: `const seen = await call('read', () => committedFrom(server, server.partition(claim.changelogTopic, claim.partition), 0, Infinity))
      await host.clock.sleep(chance.between(50, 1_500))
      const epoch = await call('claim', () => server.fence(id))`,
      },
      {
        file: 'pipeline/simulation/log.ts',
        find: 'async *restore() {',
        replace: `async *restore() {
          yield batchOf(claim.partition, seen.records, seen.next, seen.end)
          return`,
      },
    ],
  },
  'fenced-producer-again': {
    says: 'after an error the producer is opened anew, and the checkpoint is written from memory',
    seeds: 200,
    changes: [
      {
        file: 'pipeline/simulation/log.ts',
        find: `await transact(checkpoint)`,
        replace: `for (;;) {
              try {
                await transact(checkpoint)
                break
              } catch {
                epoch = await call('claim', () => server.fence(id))
              }
            }`,
      },
      { file: 'pipeline/simulation/log.ts', find: `const epoch = await call(`, replace: `let epoch = await call(` },
    ],
  },
  'token-without-part': {
    says: "a part's token does not name the part",
    seeds: 50,
    changes: [
      ...nobodyAsks,
      { file: 'pipeline/roles/process/insert.ts', find: '/${table}/${part.part}${whose}`', replace: '/${table}${whose}`' },
    ],
  },
  'blocks-by-wall-clock': {
    says: 'a block also ends when the wall clock says that it has been open for long',
    seeds: 100,
    changes: [
      {
        file: 'pipeline/roles/process/partition-blocks.ts',
        find: 'if (cutter.add(items, value === null ? 0 : value.length, control)) {',
        replace:
          'if (cutter.add(items, value === null ? 0 : value.length, control) || clock.now() - lastTickAt > options.blockSpanMs / 2) {',
      },
    ],
  },
  'clock-row-apart': {
    says: "a block's clock row is inserted apart from its deltas",
    seeds: 200,
    changes: [
      {
        file: 'pipeline/roles/process/insert.ts',
        find: 'for (let again = 0; ; again++) {',
        replace: `const clockRow = table === 'kpi_deltas' && part.rows > 1 && part.part === rows.finish(name.blockAt).length - 1 ? 43 + 8 * (columns.length - 10) : 0
    if (clockRow > 0) {
      const ends = part.bytes.length - clockRow
      await untilAcknowledged(() => store.insert({ table, columns, rows: part.bytes.subarray(0, ends), token }), signal, hooks)
      await untilAcknowledged(() => store.insert({ table, columns, rows: part.bytes.subarray(ends), token: token + '/clock' }), signal, hooks)
      continue
    }
    for (let again = 0; ; again++) {`,
      },
    ],
  },
  'no-read-of-what-is-there': {
    says: 'a new owner does not ask which parts are there, and the windows of tokens are too short',
    seeds: 100,
    changes: [
      {
        file: 'pipeline/roles/process/partition-run.ts',
        find: 'unlessStopped(presentParts(store, tableNames, since, AbortSignal.any([abort, stop]), hooks), abort, stop)',
        replace: 'Promise.resolve(new Map(tableNames.map((name) => [name, new Set<string>()])))',
      },
    ],
  },
  'acknowledgement-believed': {
    says: 'nobody asks whether what was acknowledged is there',
    seeds: 50,
    changes: nobodyAsks,
  },
  'marks-not-restored': {
    says: 'a new owner does not get back who was counted where',
    seeds: 50,
    changes: [
      {
        file: 'pipeline/roles/process/restore.ts',
        find: 'of marks.values()) state.putMarks',
        replace: 'of [...marks.values()].slice(0, 0)) state.putMarks',
      },
    ],
  },
  'seen-ids-not-restored': {
    says: 'a new owner does not get back which ids were accepted',
    seeds: 50,
    changes: [
      {
        file: 'pipeline/roles/process/restore.ts',
        find: 'reader.putIds({ hour: at.hour, lasting: at.lasting, ids: value })',
        replace: 'void value',
      },
    ],
  },
}
