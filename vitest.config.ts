// How tests run: shared servers are started on demand by the global setup; a slow machine fails no test by the clock.

import { defineConfig } from 'vitest/config'
import { skipsReporter } from './pipeline/testing/skips-reporter.ts'

export default defineConfig({
  test: {
    include: ['{schemas,operators,dashboards,pipeline,docs}/**/*.test.ts'],
    globalSetup: ['pipeline/testing/global-setup.ts'],
    // Native modules and worker threads want real processes; two, since engines and a broker run beside them.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 240_000,
    hookTimeout: 240_000,
    reporters: ['default', skipsReporter()],
  },
})
