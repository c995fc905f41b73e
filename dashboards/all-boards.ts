// All boards, in the order in which they are listed.
import type { Board } from './board.ts'
import { alerts } from './boards/alerts.ts'
import { brand } from './boards/brand.ts'
import { cells } from './boards/cells.ts'
import { commercial } from './boards/commercial.ts'
import { content } from './boards/content.ts'
import { overview } from './boards/overview.ts'
import { pipeline } from './boards/pipeline.ts'
import { user } from './boards/user.ts'
import { users } from './boards/users.ts'

export const boards: readonly Board[] = [overview, cells, users, user, content, commercial, brand, alerts, pipeline]
