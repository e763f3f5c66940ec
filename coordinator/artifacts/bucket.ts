import { createReadStream } from "node:fs"
import type { Readable } from "node:stream"
import type { Hex } from "viem"
import { refuse } from "../errors.ts"

/** An S3-compatible bucket, one object an artifact. What the service behind it does not do is `E_ARTIFACT_STORE`. */
export type Bucket = {
  /** Sends a file that has this hash; the service checks it too, if it can. */
  put(sha256: Hex, params: { file: string; bytes: number }): Promise<void>
  /** The object's bytes as they are there, or undefined if it is not. */
  get(sha256: Hex): Promise<{ bytes: number; stream: Readable } | undefined>
  head(sha256: Hex): Promise<{ bytes: number; modified: Date } | undefined>
  remove(sha256: Hex): Promise<void>
  close(): void
}

const URL_PATTERN = /^s3:\/\/(?<name>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(?<prefix>[A-Za-z0-9/_.-]*?))?\/?$/

/** Whether it names a bucket and, if it likes, a prefix: `s3://BUCKET/PREFIX`. */
export function isBucketUrl(url: string): boolean {
  return URL_PATTERN.test(url)
}

/**
 * Endpoint, region and credentials are what the AWS SDK finds in its own variables and files: `AWS_ENDPOINT_URL_S3`,
 * `AWS_REGION`, `AWS_ACCESS_KEY_ID` and the rest of its chain. The SDK is loaded only by those who have a bucket.
 */
export async function openBucket(url: string): Promise<Bucket> {
  const { prefix = "", name } = URL_PATTERN.exec(url)!.groups!
  const { S3Client, ...s3 } = await import("@aws-sdk/client-s3")
  const client = new S3Client({
    // Of those who serve S3 elsewhere only some give each bucket a host name of its own.
    forcePathStyle: Boolean(process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL),
    requestHandler: { connectionTimeout: 5_000, socketTimeout: 60_000 },
  })
  const object = (key: string) => ({ Bucket: name, Key: prefix === "" ? key : `${prefix}/${key}` })
  const at = (sha256: Hex) => object(`${sha256.slice(2, 4)}/${sha256.slice(2)}`)

  try {
    await client.send(new s3.PutObjectCommand({ ...object("README"), Body: "Artifacts of an Assay coordinator.\n" }))
  } catch (cause) {
    client.destroy()
    const message = `ARTIFACTS_URL: ${url} cannot be used (${nameOf(cause)}); look at AWS_ENDPOINT_URL_S3, AWS_REGION and the credentials`
    throw refuse("E_CONFIG", message, undefined, cause)
  }
  return {
    put: (sha256, { file, bytes }) =>
      said(async () => {
        const ChecksumSHA256 = Buffer.from(sha256.slice(2), "hex").toString("base64")
        const body = { Body: createReadStream(file), ContentLength: bytes, ChecksumSHA256 }
        await client.send(new s3.PutObjectCommand({ ...at(sha256), ...body }))
      }),
    get: (sha256) =>
      said(async () => {
        const found = await client.send(new s3.GetObjectCommand(at(sha256))).catch(absent)
        return found && { bytes: found.ContentLength ?? 0, stream: found.Body as Readable }
      }),
    head: (sha256) =>
      said(async () => {
        const found = await client.send(new s3.HeadObjectCommand(at(sha256))).catch(absent)
        return found && { bytes: found.ContentLength ?? 0, modified: found.LastModified ?? new Date() }
      }),
    remove: (sha256) =>
      said(async () => {
        await client.send(new s3.DeleteObjectCommand(at(sha256)))
      }),
    close: () => client.destroy(),
  }
}

/** Not there, unless it is the bucket itself that is gone: then nobody may take the artifact for one that never came. */
function absent(error: unknown): undefined {
  const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } }
  if ($metadata?.httpStatusCode === 404 && name !== "NoSuchBucket") return undefined
  throw error
}

async function said<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw storeFailed(error)
  }
}

/** The bucket's service failed: whoever asked tries again. */
export function storeFailed(error: unknown) {
  const message = `the coordinator's bucket does not answer as it should (${nameOf(error)}): try again later`
  return refuse("E_ARTIFACT_STORE", message, undefined, error)
}

function nameOf(error: unknown): string {
  const { code, name, message } = error as { code?: string; name?: string; message?: string }
  return code ?? (name === undefined || name === "Error" || name === "Unknown" ? (message ?? "no reason given") : name)
}
