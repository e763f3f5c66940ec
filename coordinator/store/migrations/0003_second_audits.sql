CREATE TABLE "equivocations" (
	"claim_id" text PRIMARY KEY NOT NULL,
	"job_id" numeric(78, 0) NOT NULL,
	"shard" integer NOT NULL,
	"first_hash" text NOT NULL,
	"until" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "reaudited_batches" (
	"batch_id" numeric(78, 0) PRIMARY KEY NOT NULL,
	"round" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "reaudits" (
	"batch_id" numeric(78, 0) NOT NULL,
	"sample" integer NOT NULL,
	"round" integer NOT NULL,
	"candidates" jsonb NOT NULL,
	"asked_to" text,
	"asked_until" bigint,
	"state" text NOT NULL,
	CONSTRAINT "reaudits_batch_id_sample_pk" PRIMARY KEY("batch_id","sample")
);
--> statement-breakpoint
CREATE TABLE "rounds" (
	"round" integer PRIMARY KEY NOT NULL,
	"block" bigint NOT NULL,
	"time" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "leases" ADD COLUMN "release_at" bigint;--> statement-breakpoint
ALTER TABLE "samples" ADD COLUMN "called" jsonb;--> statement-breakpoint
ALTER TABLE "samples" ADD COLUMN "called_until" bigint;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "round" integer;--> statement-breakpoint
CREATE INDEX "reaudits_state" ON "reaudits" USING btree ("state");