// What the browser is given, from its sources: made in memory at the first request, so that a fresh clone needs no build.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

export type Asset = { readonly type: string; readonly body: Uint8Array; readonly gzipped: Uint8Array; readonly tag: string }
export type Bundle = Readonly<Record<'page' | 'icon' | 'script' | 'style', Asset>>

const live = (name: string) => fileURLToPath(new URL(`../../../dashboards/live/${name}`, import.meta.url))

export async function bundleBoard(): Promise<Bundle> {
  const { build, stop } = await import('esbuild')
  const { outputFiles } = await build({
    entryPoints: [live('main.tsx')],
    bundle: true,
    minify: true,
    write: false,
    outdir: '/',
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'silent',
  }).catch(async (error: unknown) => {
    // Its process may be what is broken, and it does not start another by itself.
    await stop()
    throw error
  })
  const contents = (end: string) => outputFiles.find(({ path }) => path.endsWith(end))!.contents
  return {
    page: await asset('text/html; charset=utf-8', await readFile(live('page.html'))),
    icon: await asset('image/svg+xml', await readFile(live('icon.svg'))),
    script: await asset('text/javascript; charset=utf-8', contents('.js')),
    style: await asset('text/css; charset=utf-8', contents('.css')),
  }
}

async function asset(type: string, body: Uint8Array): Promise<Asset> {
  return {
    type,
    body,
    gzipped: await promisify(gzip)(body, { level: 9 }),
    tag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
  }
}
