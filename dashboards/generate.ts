// The files that follow from the boards; `reelpulse generate` writes them.
import type { GeneratedFile } from '../schemas/generate.ts'
import { overview } from './boards/overview.ts'
import { renderGrafana } from './render-grafana.ts'

export const boards = [overview] as const

export function generatedFiles(): GeneratedFile[] {
  return boards.map((board) => ({
    path: `dashboards/grafana/boards/${board.uid}.json`,
    content: `${JSON.stringify(renderGrafana(board), undefined, 2)}\n`,
  }))
}
