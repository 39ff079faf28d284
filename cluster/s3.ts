/**
 * Objects of a store that speaks S3, by names as `s3://bucket/key`. Region, keys and address of the store come from where
 * the AWS SDK looks for them: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL_S3, the profile, the machine's role.
 */
import type { S3Client } from '@aws-sdk/client-s3';
import { DcompError } from '../src/errors.js';
import { oneLine } from '../formats/text.js';
import { optional } from './optional.js';

/** An object as a listing tells of it. */
export interface Listed {
  place: string;
  /** Bytes. */
  size: number;
  /** Another for other contents. */
  version: string;
}

const SCHEME = 's3://';

/** Whether a name is one of an object. */
export function isObject(place: string): boolean {
  return place.startsWith(SCHEME);
}

/** @throws DcompError E_USAGE */
export function partsOf(place: string): { bucket: string; key: string } {
  const [, bucket, key = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(place) ?? [];
  if (bucket === undefined)
    throw new DcompError('E_USAGE', `${oneLine(place)} names no object; it must be s3://BUCKET/KEY`);
  return { bucket, key };
}

/** What the service or the SDK calls it, in words. */
const REASONS: Record<string, string> = {
  NoSuchKey: 'there is no such object',
  NotFound: 'there is no such object',
  NoSuchBucket: 'there is no such bucket',
  AccessDenied: 'access is denied',
  Forbidden: 'access is denied',
  InvalidAccessKeyId: 'the store does not know the access key',
  SignatureDoesNotMatch: 'the secret key is not the right one',
  CredentialsProviderError: 'no keys are given; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
};

function storeError(action: string, place: string, error: unknown): DcompError {
  const { name, message, code } = error as Error & { code?: string };
  const reason = REASONS[name] ?? (/region is missing/i.test(message) ? 'set AWS_REGION' : (code ?? oneLine(message)));
  return new DcompError('E_IO', `cannot ${action} ${oneLine(place)}: ${reason}`, { cause: error });
}

/** What the service answered, undefined where there was no answer. */
function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

type Sdk = typeof import('@aws-sdk/client-s3');

let opened: Promise<{ sdk: Sdk; client: S3Client }> | undefined;

/** One client for the process. Stores other than Amazon's want the bucket in the path, and know older checksums only. */
function open(): Promise<{ sdk: Sdk; client: S3Client }> {
  return (opened ??= (async () => {
    const sdk = await optional(() => import('@aws-sdk/client-s3'), 's3:// names', '@aws-sdk/client-s3');
    const other = process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
    const compatible = {
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      region: process.env.AWS_REGION ?? 'us-east-1',
    } as const;
    return { sdk, client: new sdk.S3Client(other === undefined ? {} : compatible) };
  })());
}

/** Closes the connections. */
export async function closeStore(): Promise<void> {
  const store = await opened?.catch(() => undefined);
  opened = undefined;
  store?.client.destroy();
}

/** @throws DcompError E_IO, E_USAGE, E_MISSING_DEPENDENCY */
export async function readObject(place: string): Promise<Uint8Array> {
  const { bucket: Bucket, key: Key } = partsOf(place);
  const { sdk, client } = await open();
  try {
    const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket, Key }));
    return await Body!.transformToByteArray();
  } catch (error) {
    throw storeError('read', place, error);
  }
}

/** What the store says of an object, undefined if there is none. @throws DcompError E_IO, E_USAGE, E_MISSING_DEPENDENCY */
export async function lookAt(place: string): Promise<Listed | undefined> {
  const { bucket: Bucket, key: Key } = partsOf(place);
  const { sdk, client } = await open();
  try {
    const { ContentLength = 0, ETag = '' } = await client.send(new sdk.HeadObjectCommand({ Bucket, Key }));
    return { place, size: ContentLength, version: ETag };
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw storeError('read', place, error);
  }
}

/**
 * The store shows an object only when all of it has come.
 * @param replace whether one of the name may be there
 * @returns false if one is there that must not be replaced
 * @throws DcompError E_IO, E_USAGE, E_MISSING_DEPENDENCY
 */
export async function writeObject(place: string, bytes: Uint8Array, replace: boolean): Promise<boolean> {
  const { bucket: Bucket, key: Key } = partsOf(place);
  const { sdk, client } = await open();
  const put = (condition: { IfNoneMatch?: string }): Promise<unknown> =>
    client.send(new sdk.PutObjectCommand({ Bucket, Key, Body: bytes, ContentLength: bytes.length, ...condition }));
  try {
    // Stores that know no conditions ignore this one, or say so.
    await put(replace ? {} : { IfNoneMatch: '*' }).catch((error: unknown) => {
      if (replace || statusOf(error) !== 501) throw error;
      return put({});
    });
    return true;
  } catch (error) {
    if (!replace && (statusOf(error) === 412 || statusOf(error) === 409)) return false;
    throw storeError('write', place, error);
  }
}

/** All objects below `s3://bucket/prefix/`, in the order of their names. @throws DcompError E_IO, E_USAGE, E_MISSING_DEPENDENCY */
export async function listObjects(place: string): Promise<Listed[]> {
  const { bucket: Bucket, key: Prefix } = partsOf(place);
  const { sdk, client } = await open();
  const found: Listed[] = [];
  try {
    for await (const page of sdk.paginateListObjectsV2({ client }, { Bucket, Prefix }))
      for (const { Key, Size = 0, ETag = '' } of page.Contents ?? [])
        if (Key !== undefined) found.push({ place: `${SCHEME}${Bucket}/${Key}`, size: Size, version: ETag });
  } catch (error) {
    throw storeError('list', place, error);
  }
  return found.sort((a, b) => (a.place < b.place ? -1 : 1));
}
