import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify"
import { hasZodFastifySchemaValidationErrors, isResponseSerializationError } from "fastify-type-provider-zod"
import { type ErrorBody, httpStatusOf, isCodedError, isHttpErrorCode } from "#protocol"

/** Turns whatever a handler threw into a code, a sentence and a status. Faults of our own say no more than that. */
export function mapErrors(app: FastifyInstance): void {
  app.setNotFoundHandler((request, reply) => {
    send(reply, {
      code: "E_NOT_FOUND",
      message: `there is no ${request.method} ${request.url.split("?")[0]?.slice(0, 200)}`,
    })
  })
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const body = bodyOf(error, request)
    if (httpStatusOf(body.code) >= 500) request.log.error({ err: error, code: body.code }, "request failed")
    else request.log.info({ code: body.code, url: request.routeOptions.url, why: body.message }, "request refused")
    send(reply, body)
  })
}

function bodyOf(error: FastifyError, request: FastifyRequest): ErrorBody {
  if (isCodedError(error) && isHttpErrorCode(error.code)) {
    const { code, message, details, ...facts } = error.detail as { code: string; message?: string; details?: object }
    const known = plain({ ...details, ...facts })
    return { code, message: message ?? code, ...(Object.keys(known).length > 0 ? { details: known } : {}) }
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issues = error.validation.slice(0, 8).map((issue) => `${issue.instancePath || "/"} ${issue.message}`)
    return {
      code: "E_BAD_REQUEST",
      message: `malformed ${error.validationContext}: ${issues.join("; ").slice(0, 1_000)}`,
    }
  }
  if (error.statusCode === 429)
    return { code: "E_RATE_LIMIT", message: "too many requests: wait a little and try again" }
  if (error.statusCode === 413) return { code: "E_BODY_TOO_LARGE", message: "the body is larger than this path takes" }
  if (error.statusCode === 415) return { code: "E_BAD_REQUEST", message: "this path does not take that content type" }
  if (error.statusCode !== undefined && error.statusCode < 500 && !isResponseSerializationError(error)) {
    return { code: "E_BAD_REQUEST", message: error.message.slice(0, 300) }
  }
  return { code: "E_INTERNAL", message: `the coordinator failed; its log has the reason under request ${request.id}` }
}

/** Details as JSON can carry them. */
function plain(details: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(details)
      .filter(([name]) => name !== "cause")
      .map(([name, value]) => [name, typeof value === "bigint" ? value.toString() : value]),
  )
}

function send(reply: FastifyReply, body: ErrorBody): void {
  // Not through the route's response schema: it describes the successes.
  void reply.code(httpStatusOf(body.code)).type("application/json").serializer(JSON.stringify).send(body)
}
