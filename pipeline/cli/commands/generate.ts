// `reelpulse generate`: writes the files of the repository that follow from others.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { defineCommand, exitFinding, exitGood } from '../command.ts'

const repository = fileURLToPath(new URL('../../../', import.meta.url))

export const command = defineCommand({
  name: 'generate',
  summary: 'write the files that follow from schemas/, operators/ and dashboards/',
  help: `Frozen Avro schemas, the page of KPIs and rendered boards stand in the repository, so that a change of them can be read in review and other programs can
use them. This writes them anew; with --check it writes nothing, names those that are missing or stale, and exits 1 where there are any.`,
  examples: [
    ['generate', 'Write what has changed.'],
    ['generate --check', 'Only tell what is stale, as .ci/run does.'],
  ],
  flags: z.object({
    check: z.boolean().default(false).describe('Write nothing; exit 1 where a file is missing or stale.'),
  }),
  json: true,
  async run({ flags, print, result }) {
    const [fromSchemas, fromOperators, fromDashboards] = await Promise.all([
      import('../../../schemas/generate.ts'),
      import('../../../operators/kpi/generate.ts'),
      import('../../../dashboards/generate.ts'),
    ])
    const files = [...fromSchemas.generatedFiles(), ...fromOperators.generatedFiles(), ...fromDashboards.generatedFiles()]
    const stale = files.filter(({ path, content }) => {
      const at = join(repository, path)
      return !existsSync(at) || readFileSync(at, 'utf8') !== content
    })
    for (const { path, content } of stale) {
      print(flags.check ? `stale: ${path} (run reelpulse generate)` : `wrote ${path}`)
      if (flags.check) continue
      mkdirSync(dirname(join(repository, path)), { recursive: true })
      writeFileSync(join(repository, path), content)
    }
    if (stale.length === 0) print(`${files.length} files are as they should be`)
    result({ files: files.length, stale: stale.map(({ path }) => path) })
    return flags.check && stale.length > 0 ? exitFinding : exitGood
  },
})
