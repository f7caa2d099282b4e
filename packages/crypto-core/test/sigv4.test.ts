import { encodeUtf8, Secret } from '@keytide/crypto-core';
import { nodePrimitives as primitives, signAwsRequest } from '@keytide/crypto-core/node';
import { describe, expect, test } from 'vitest';
import ofS3 from './vectors/sigv4-s3.json' with { type: 'json' };
import vectors from './vectors/sigv4.json' with { type: 'json' };

const secret = (text: string): Secret => Secret.own(encodeUtf8(text) as Uint8Array);
const scope = { region: vectors.region, service: vectors.service, nowMs: Date.parse(vectors.time) };

describe("AWS's own vectors", () => {
  test.each(vectors.cases)('$name', ({ method, url, headers, body, sessionToken, ...expected }) => {
    const credentials = {
      accessKeyId: vectors.accessKeyId,
      secretAccessKey: secret(vectors.secretAccessKey),
      sessionToken: sessionToken === undefined ? null : secret(sessionToken),
    };
    const sent = signAwsRequest(primitives, credentials, scope, {
      method,
      url: new URL(url),
      headers: headers as Record<string, string>,
      body: encodeUtf8(body) as Uint8Array,
    });
    expect(sent).toEqual({
      ...headers,
      'x-amz-date': '20150830T123600Z',
      ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
      authorization:
        `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ` +
        `SignedHeaders=${expected.signedHeaders}, Signature=${expected.signature}`,
    });
  });

  test.each(ofS3.cases)('S3: $name', ({ method, url, headers, body, ...expected }) => {
    const { accessKeyId, secretAccessKey, region, time } = ofS3;
    const credentials = { accessKeyId, secretAccessKey: secret(secretAccessKey), sessionToken: null };
    const given = headers as Record<string, string>;
    const request = { method, url: new URL(url), headers: given, body: encodeUtf8(body) as Uint8Array };
    const place = { region, service: 's3', nowMs: Date.parse(time) };
    expect(signAwsRequest(primitives, credentials, place, request)).toEqual({
      ...given,
      'x-amz-date': '20130524T000000Z',
      'x-amz-content-sha256': expected.contentSha256,
      authorization:
        `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ` +
        `SignedHeaders=${expected.signedHeaders}, Signature=${expected.signature}`,
    });
  });
});
