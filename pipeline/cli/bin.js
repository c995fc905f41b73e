#!/usr/bin/env node
// The launcher: plain JavaScript for any Node from 20 on. The program itself needs Node 24, which `npm ci` brings along.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const needed = 24
const launcher = fileURLToPath(import.meta.url)

if (Number(process.versions.node.split('.')[0]) >= needed) {
  becomeProgram()
} else {
  const bundled = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url))
  if (existsSync(bundled)) runUnder(bundled)
  else {
    console.error(
      `reelpulse needs Node ${needed} or newer; this is ${process.versions.node}, and ${bundled} is not there. Run npm ci first.`,
    )
    process.exitCode = 2
  }
}

function becomeProgram() {
  // Node's own printer cannot be told this once the process runs; everything else is still printed by it.
  const print = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') for (const listener of print) listener.call(process, warning)
  })
  // Started by a launcher: when that is killed, even with kill -9, nothing may go on in its name.
  if (process.env.REELPULSE_LAUNCHED === '1' && process.channel) {
    delete process.env.REELPULSE_LAUNCHED
    process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))
    process.channel.unref()
  }
  void import('./main.ts').then(({ main }) => main(process.argv.slice(2)))
}

function runUnder(node) {
  const child = spawn(node, [launcher, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, REELPULSE_LAUNCHED: '1' },
  })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']
  for (const signal of signals) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`reelpulse could not start ${node}: ${error.message}`)
    process.exit(2)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    for (const name of signals) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}
