/** The PostgreSQL that is measured on: that of DATABASE_URL, or one that is begun in a folder for a run. */
import { freePort, initialise, serve } from "../support/postgresServer.ts"

/** Begins it. */
export const begin = async (folder: string): Promise<{ readonly url: string; readonly end: () => void }> => {
  const given = process.env.DATABASE_URL
  if (given !== undefined && given !== "") return { url: given, end: () => undefined }
  await initialise(folder)
  const { pid, url } = await serve(folder, await freePort())
  const end = () => {
    if (pid !== undefined) process.kill(pid, "SIGQUIT")
  }
  return { url, end }
}
