// The files that follow from the boards; `reelpulse generate` writes them.
import type { GeneratedFile } from '../schemas/generate.ts'
import { boards } from './all-boards.ts'
import type { Language } from './board.ts'
import { renderGrafana, uidOf } from './render-grafana.ts'

const languages: readonly Language[] = ['en', 'zh']

export function generatedFiles(): GeneratedFile[] {
  return languages.flatMap((language) =>
    boards.map((board) => ({
      path: `dashboards/grafana/boards/${uidOf(board.uid, language)}.json`,
      content: `${JSON.stringify(renderGrafana(board, boards, language), undefined, 2)}\n`,
    })),
  )
}
