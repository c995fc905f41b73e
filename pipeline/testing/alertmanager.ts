// A real Alertmanager for tests, of the Debian package; what it sends on goes to a receiver of the test.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { missingProgram, startProgram } from './installed.ts'
import { freePorts } from './kafka-jvm.ts'

export const missingAlertmanager = () => missingProgram('prometheus-alertmanager', 'prometheus-alertmanager')

export type GettableAlert = {
  fingerprint: string
  labels: Record<string, string>
  annotations: Record<string, string>
  startsAt: string
  endsAt: string
  generatorURL: string
  status: { state: string }
}

export type RunningAlertmanager = {
  url: string
  /** What it has as firing. */
  alerts(): Promise<GettableAlert[]>
  stop(): Promise<void>
}

/** `notifies`: a webhook that gets what it sends on; grouping is as short as can be. */
export async function startAlertmanager(notifies?: string): Promise<RunningAlertmanager> {
  const folder = mkdtempSync(join(tmpdir(), 'reelpulse-alertmanager-'))
  const config = join(folder, 'alertmanager.yaml')
  const receiver = notifies === undefined ? '' : `\n    webhook_configs: [{ url: '${notifies}', send_resolved: true }]`
  writeFileSync(
    config,
    `route: { receiver: test, group_by: ['...'], group_wait: 100ms, group_interval: 200ms, repeat_interval: 1h }
receivers:
  - name: test${receiver}
`,
  )
  const [port] = (await freePorts(1)) as [number]
  const url = `http://127.0.0.1:${port}`
  const program = await startProgram(
    [
      'prometheus-alertmanager', `--config.file=${config}`, `--storage.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=', '--log.level=warn',
    ], // prettier-ignore
    async () => (await fetch(`${url}/-/ready`)).ok,
  ).catch((error: unknown) => {
    rmSync(folder, { recursive: true })
    throw error
  })
  return {
    url,
    alerts: async () => (await (await fetch(`${url}/api/v2/alerts`)).json()) as GettableAlert[],
    async stop() {
      await program.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
