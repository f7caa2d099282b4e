import { SpanStatusCode, trace, type Attributes } from '@opentelemetry/api';
import { RelayError } from './errors.ts';

/**
 * Does `work` inside an OpenTelemetry span. Without an SDK in the process, the API makes that next to nothing.
 * `attributes` are counts and kinds, never an id, an address or content.
 */
export function traced<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T> {
  const tracer = trace.getTracer('@keytide/server-relay');
  return tracer.startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work();
    } catch (error) {
      // The code and no more: messages and causes may come from a database.
      const message = error instanceof RelayError ? error.code : 'bug';
      span.setStatus({ code: SpanStatusCode.ERROR, message });
      throw error;
    } finally {
      span.end();
    }
  });
}
