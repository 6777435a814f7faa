import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A repository `repo.git` in this directory that any web server can serve, with one file. */
export async function makeRepository(directory: string): Promise<void> {
  const work = join(directory, 'work')
  await mkdir(work)
  const git = (...args: readonly string[]) =>
    run('git', ['-C', work, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args])
  await git('init', '--quiet', '--initial-branch=main')
  await writeFile(join(work, 'greeting.txt'), 'hello from git\n')
  await git('add', '.')
  await git('commit', '--quiet', '--message', 'Greet')
  await git('clone', '--quiet', '--bare', '.', join(directory, 'repo.git'))
  await run('git', ['-C', join(directory, 'repo.git'), 'update-server-info'])
}
