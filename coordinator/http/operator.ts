import { timingSafeEqual } from "node:crypto"
import type { FastifyReply, FastifyRequest } from "fastify"
import { type HttpErrorCode, httpStatusOf } from "#protocol"

const LOOPBACK = new Set(["127.0.0.1", "::1", "::ffff:127.0.0.1"])

/** The operator's pages: with a token for who has it (Bearer, or Basic for browsers), else from this machine only. */
export function operatorOnly(token: string | undefined) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    if (!token) {
      if (LOOPBACK.has(request.ip)) return undefined
      return deny(
        reply,
        "E_AUTH_FORBIDDEN",
        "this page is for the operator: set ASSAY_OPERATOR_TOKEN to use it from afar",
      )
    }
    const given = tokenOf(request.headers.authorization)
    if (given !== undefined && same(given, token)) return undefined
    reply.header("www-authenticate", 'Basic realm="assay operator"')
    return deny(reply, "E_AUTH_MISSING", "this page is for the operator: send ASSAY_OPERATOR_TOKEN")
  }
}

/** Answered here and not thrown: the dashboard has an error handler of its own. */
function deny(reply: FastifyReply, code: HttpErrorCode, message: string): FastifyReply {
  return reply.code(httpStatusOf(code)).type("application/json").serializer(JSON.stringify).send({ code, message })
}

function tokenOf(header: string | undefined): string | undefined {
  const [scheme, value] = header?.split(" ") ?? []
  if (value === undefined) return undefined
  if (scheme?.toLowerCase() === "bearer") return value
  if (scheme?.toLowerCase() !== "basic") return undefined
  const text = Buffer.from(value, "base64").toString("utf8")
  return text.slice(text.indexOf(":") + 1)
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.byteLength === right.byteLength && timingSafeEqual(left, right)
}
