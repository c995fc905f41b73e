// Adds to package-lock.json the optional packages of other platforms that the registry did not list when it was written,
// so that `npm ci` works on those platforms too. Run it after `npm install` (CONTRIBUTING.md).
import { readFileSync, writeFileSync } from 'node:fs'

const path = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(path, 'utf8'))
const { packages } = lock

const systems = /(darwin|linux|win32|android|freebsd|openbsd|netbsd|sunos|aix|openharmony|wasm32|wasi)/
const processors = /(x64|arm64|arm-|armv|arm\b|ia32|ppc64|s390x|riscv64|loong64|mips64el|wasm32)/

let added = 0
for (const [parent, entry] of Object.entries({ ...packages })) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    if (packages[`node_modules/${name}`] !== undefined || packages[`${parent}/node_modules/${name}`] !== undefined) continue
    const system = systems.exec(name)?.[1]
    const processor = processors.exec(name)?.[1]
    if (system === undefined || processor === undefined) {
      console.log(`left out: ${name}@${range} of ${parent} (its name tells no platform)`)
      continue
    }
    packages[`node_modules/${name}`] = {
      version: range.replace(/^[\^~]/, ''),
      cpu: [processor.startsWith('arm') && processor !== 'arm64' ? 'arm' : processor],
      ...(entry.dev ? { dev: true } : {}),
      ...(name.includes('musl') ? { libc: ['musl'] } : name.includes('gnu') ? { libc: ['glibc'] } : {}),
      optional: true,
      os: [system === 'wasm32' || system === 'wasi' ? 'wasi' : system],
    }
    added++
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).toSorted(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`added ${added}`)
