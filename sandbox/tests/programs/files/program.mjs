// Node: fetch, worker threads, child processes, files, cryptography, a server where there may be one.
import assert from 'node:assert/strict'
import { execFile, fork, spawn } from 'node:child_process'
import { createHash, generateKeyPairSync, randomBytes, scryptSync, sign, verify } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import { createServer } from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import zlib from 'node:zlib'

const self = fileURLToPath(import.meta.url)

if (!isMainThread) {
  parentPort.on('message', (numbers) => {
    parentPort.postMessage(numbers.reduce((sum, number) => sum + number, 0))
    parentPort.close()
  })
} else if (process.argv[2] === 'forked') {
  process.on('message', (message) => process.send({ doubled: message * 2 }, () => process.disconnect()))
} else {
  await main(process.argv[2], process.argv[3], process.argv.slice(4))
}

async function main(address, other, options) {
  const listen = options.includes('listen')
  const answer = await fetch(`http://${address}/asked`)
  assert.equal(await answer.text(), 'hello /asked')
  const asked = fetch(`http://${other}/`)
  await (options.includes('confined') ? assert.rejects(asked) : asked)

  const workers = [1, 2, 3].map(async (factor) => {
    const worker = new Worker(self)
    // Asked for at once: a worker's last message and its end can come in one go.
    const ended = once(worker, 'exit')
    worker.postMessage([1, 2, 3].map((number) => number * factor))
    const [sum] = await once(worker, 'message')
    assert.equal(sum, 6 * factor)
    await ended
  })
  await Promise.all(workers)

  const forked = fork(self, ['forked'])
  forked.send(21)
  const [message] = await once(forked, 'message')
  assert.equal(message.doubled, 42)
  const spawned = spawn('sh', ['-c', 'cat; exit 4'], { stdio: ['pipe', 'pipe', 'inherit'] })
  spawned.stdin.end('through a pipe')
  let text = ''
  for await (const chunk of spawned.stdout) text += chunk
  assert.equal(text, 'through a pipe')
  if (spawned.exitCode === null) await once(spawned, 'exit')
  assert.equal(spawned.exitCode, 4)
  const { stdout } = await promisify(execFile)(process.execPath, ['-p', '6 * 7'])
  assert.equal(stdout.trim(), '42')

  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'node-'))
  await fs.writeFile(path.join(folder, 'file'), randomBytes(1000))
  assert.equal((await fs.stat(path.join(folder, 'file'))).size, 1000)
  await fs.rm(folder, { recursive: true })
  await fs.writeFile('written', 'x'.repeat(100000))
  await pipeline(
    (await fs.open('written')).createReadStream(),
    zlib.createGzip(),
    (await fs.open('written.gz', 'w')).createWriteStream(),
  )
  assert.ok((await fs.stat('written.gz')).size < 10000)
  assert.equal(os.platform(), 'linux')

  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  assert.ok(verify(null, Buffer.from('text'), publicKey, sign(null, Buffer.from('text'), privateKey)))
  assert.equal(scryptSync('password', 'salt', 32).length, 32)
  assert.equal(createHash('sha256').update('').digest('hex').slice(0, 8), 'e3b0c442')

  const server = createServer((request, response) => response.end('own server'))
  server.listen(0, '127.0.0.1')
  if (listen) {
    await once(server, 'listening')
    const own = await fetch(`http://127.0.0.1:${server.address().port}/`)
    assert.equal(await own.text(), 'own server')
    server.closeAllConnections()
    server.close()
  } else {
    const [error] = await once(server, 'error')
    assert.ok(['EPERM', 'EACCES'].includes(error.code), error.code)
  }
  console.log('all passed')
}
