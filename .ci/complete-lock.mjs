// adds lock entries for optional platform packages that the registry in reach did not list
import fs from 'node:fs'
const f = 'package-lock.json', lock = JSON.parse(fs.readFileSync(f)), P = lock.packages
const has = (n) => P['node_modules/' + n]
let added = 0
for (const [path, p] of Object.entries({ ...P })) for (const [n, v] of Object.entries(p.optionalDependencies ?? {})) {
  if (has(n) || P[path + '/node_modules/' + n]) continue
  const os = /(darwin|linux|win32|android|freebsd|openbsd|netbsd|sunos|aix|openharmony|wasm32|wasi)/.exec(n)?.[1]
  const cpu = /(x64|arm64|arm-|armv|arm\b|ia32|ppc64|s390x|riscv64|loong64|mips64el|wasm32)/.exec(n)?.[1]
  if (!os || !cpu) { console.log('skip', path, n, v); continue }
  if (os === 'win32' || true) P['node_modules/' + n] = { version: v.replace(/^[\^~]/, ''), cpu: [cpu.startsWith('arm') && cpu !== 'arm64' ? 'arm' : cpu], ...(p.dev ? { dev: true } : {}), ...(/musl/.test(n) ? { libc: ['musl'] } : /gnu/.test(n) ? { libc: ['glibc'] } : {}), optional: true, os: [os === 'wasm32' || os === 'wasi' ? 'wasi' : os] }
  added++
}
lock.packages = Object.fromEntries(Object.entries(P).sort(([a], [b]) => a < b ? -1 : 1))
fs.writeFileSync(f, JSON.stringify(lock, null, 2) + '\n'); console.log('added', added)
