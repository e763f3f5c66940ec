CREATE TABLE "artifact_acl" (
	"sha256" text NOT NULL,
	"account" text NOT NULL,
	"reason" text NOT NULL,
	"until" bigint,
	CONSTRAINT "artifact_acl_sha256_account_reason_pk" PRIMARY KEY("sha256","account","reason")
);
--> statement-breakpoint
CREATE TABLE "artifacts" (
	"sha256" text PRIMARY KEY NOT NULL,
	"bytes" bigint NOT NULL,
	"public" boolean DEFAULT false NOT NULL,
	"uploader" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "batch_plans" (
	"id" serial PRIMARY KEY NOT NULL,
	"job_id" numeric(78, 0) NOT NULL,
	"first_shard" integer NOT NULL,
	"root" text NOT NULL,
	"ranges" jsonb NOT NULL,
	"leases" jsonb NOT NULL,
	"data_hash" text NOT NULL,
	"state" text NOT NULL,
	"batch_id" numeric(78, 0),
	"reason" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "batches" (
	"batch_id" numeric(78, 0) PRIMARY KEY NOT NULL,
	"job_id" numeric(78, 0) NOT NULL,
	"number" integer NOT NULL,
	"state" text NOT NULL,
	"committer" text NOT NULL,
	"backer" text NOT NULL,
	"first_shard" integer NOT NULL,
	"root" text NOT NULL,
	"leaves" integer NOT NULL,
	"samples" integer NOT NULL,
	"commit_block" bigint NOT NULL,
	"commit_time" bigint NOT NULL,
	"ranges" jsonb NOT NULL,
	"seed" text,
	"verdict_root" text,
	"verifiers" jsonb,
	"silent_ranges" numeric(78, 0),
	"attest_time" bigint,
	"end_time" bigint,
	"voided" numeric(78, 0) DEFAULT 0 NOT NULL,
	"frozen" numeric(78, 0) DEFAULT 0 NOT NULL,
	"reclaimed" numeric(78, 0) DEFAULT 0 NOT NULL,
	"released" numeric(78, 0) DEFAULT 0 NOT NULL,
	"data_hash" text NOT NULL,
	"url" text DEFAULT '' NOT NULL,
	"commit_tx" text NOT NULL,
	"draw_tx" text,
	"attest_tx" text,
	"finalize_tx" text
);
--> statement-breakpoint
CREATE TABLE "chain_blocks" (
	"number" bigint PRIMARY KEY NOT NULL,
	"hash" text NOT NULL,
	"time" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "chain_logs" (
	"block" bigint NOT NULL,
	"log_index" integer NOT NULL,
	"block_hash" text NOT NULL,
	"tx" text NOT NULL,
	"contract" text NOT NULL,
	"event" text NOT NULL,
	"subject" text NOT NULL,
	"topics" jsonb NOT NULL,
	"data" text NOT NULL,
	CONSTRAINT "chain_logs_block_log_index_pk" PRIMARY KEY("block","log_index")
);
--> statement-breakpoint
CREATE TABLE "cursor" (
	"name" text PRIMARY KEY NOT NULL,
	"block" bigint NOT NULL,
	"block_hash" text NOT NULL,
	"time" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "demands" (
	"demand_id" numeric(78, 0) PRIMARY KEY NOT NULL,
	"batch_id" numeric(78, 0) NOT NULL,
	"kind" text NOT NULL,
	"position" integer NOT NULL,
	"asker" text NOT NULL,
	"deadline" bigint NOT NULL,
	"state" text NOT NULL,
	"open_tx" text,
	"answer_tx" text
);
--> statement-breakpoint
CREATE TABLE "deployment" (
	"id" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"chain_id" bigint NOT NULL,
	"market" text NOT NULL,
	"genesis_hash" text NOT NULL,
	"deployed_block" bigint NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "disputes" (
	"dispute_id" numeric(78, 0) PRIMARY KEY NOT NULL,
	"batch_id" numeric(78, 0) NOT NULL,
	"range" integer NOT NULL,
	"sample" integer NOT NULL,
	"verifier" text NOT NULL,
	"leaf_output" text NOT NULL,
	"verdict_output" text NOT NULL,
	"open_block" bigint NOT NULL,
	"open_time" bigint,
	"state" text NOT NULL,
	"outcome" text,
	"output" text,
	"jurors" jsonb,
	"open_tx" text,
	"resolve_tx" text,
	"resolve_time" bigint
);
--> statement-breakpoint
CREATE TABLE "events" (
	"id" serial PRIMARY KEY NOT NULL,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"code" text NOT NULL,
	"text" text NOT NULL,
	"job_id" numeric(78, 0),
	"shard" integer,
	"task_index" integer,
	"worker" text,
	"batch_id" numeric(78, 0),
	"tx" text,
	"block" bigint,
	"data" jsonb
);
--> statement-breakpoint
CREATE TABLE "jobs" (
	"job_id" numeric(78, 0) PRIMARY KEY NOT NULL,
	"state" text NOT NULL,
	"requester" text NOT NULL,
	"nonce" numeric(78, 0) NOT NULL,
	"terms" jsonb NOT NULL,
	"terms_hash" text NOT NULL,
	"spec" jsonb NOT NULL,
	"job_salt" text NOT NULL,
	"capability" text NOT NULL,
	"model" text NOT NULL,
	"tasks" integer NOT NULL,
	"shard_size" integer NOT NULL,
	"shards" integer NOT NULL,
	"fee" numeric(78, 0) NOT NULL,
	"max_units" bigint NOT NULL,
	"deadline" bigint NOT NULL,
	"input_tree" text NOT NULL,
	"next_batch" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"posted_block" bigint,
	"posted_tx" text,
	"closed_at" bigint,
	"refunded" numeric(78, 0),
	"refund_tx" text
);
--> statement-breakpoint
CREATE TABLE "keys" (
	"key" text PRIMARY KEY NOT NULL,
	"account" text NOT NULL,
	"from_block" bigint NOT NULL,
	"revoked_block" bigint
);
--> statement-breakpoint
CREATE TABLE "leases" (
	"lease_hash" text PRIMARY KEY NOT NULL,
	"job_id" numeric(78, 0) NOT NULL,
	"shard" integer NOT NULL,
	"worker" text NOT NULL,
	"start_at" bigint NOT NULL,
	"expiry" bigint NOT NULL,
	"end_at" bigint NOT NULL,
	"signature" text NOT NULL,
	"state" text NOT NULL,
	"collateral" numeric(78, 0) NOT NULL,
	"release_signature" text,
	"end_reason" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "outbox" (
	"id" serial PRIMARY KEY NOT NULL,
	"sender" text NOT NULL,
	"key" text NOT NULL,
	"kind" text NOT NULL,
	"to_address" text NOT NULL,
	"data" text NOT NULL,
	"value" numeric(78, 0) DEFAULT 0 NOT NULL,
	"pipelined" boolean DEFAULT false NOT NULL,
	"rank" integer DEFAULT 0 NOT NULL,
	"state" text DEFAULT 'queued' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"max_attempts" integer NOT NULL,
	"not_before" timestamp with time zone DEFAULT now() NOT NULL,
	"tx_id" integer,
	"error_name" text,
	"error" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "outbox_senders" (
	"sender" text PRIMARY KEY NOT NULL,
	"holder" text NOT NULL,
	"until" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "outbox_txs" (
	"id" serial PRIMARY KEY NOT NULL,
	"sender" text NOT NULL,
	"nonce" bigint NOT NULL,
	"to_address" text NOT NULL,
	"data" text NOT NULL,
	"value" numeric(78, 0) NOT NULL,
	"gas" numeric(78, 0) NOT NULL,
	"max_fee_per_gas" numeric(78, 0) NOT NULL,
	"max_priority_fee_per_gas" numeric(78, 0) NOT NULL,
	"raw" text NOT NULL,
	"hashes" jsonb NOT NULL,
	"state" text NOT NULL,
	"mined_block" bigint,
	"mined_hash" text,
	"gas_used" numeric(78, 0),
	"sent_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "pairs" (
	"account" text NOT NULL,
	"coordinator" text NOT NULL,
	"free" numeric(78, 0) NOT NULL,
	"owed" numeric(78, 0) NOT NULL,
	"notice_at" bigint NOT NULL,
	"flags" integer NOT NULL,
	"block" bigint NOT NULL,
	CONSTRAINT "pairs_account_coordinator_pk" PRIMARY KEY("account","coordinator")
);
--> statement-breakpoint
CREATE TABLE "ranges" (
	"batch_id" numeric(78, 0) NOT NULL,
	"position" integer NOT NULL,
	"worker" text NOT NULL,
	"units" bigint NOT NULL,
	"mask" numeric(78, 0) NOT NULL,
	"collateral" numeric(78, 0) NOT NULL,
	"voided" text,
	"void_time" bigint,
	"void_tx" text,
	"frozen" boolean DEFAULT false NOT NULL,
	"paid" boolean DEFAULT false NOT NULL,
	CONSTRAINT "ranges_batch_id_position_pk" PRIMARY KEY("batch_id","position")
);
--> statement-breakpoint
CREATE TABLE "receipts" (
	"lease_hash" text PRIMARY KEY NOT NULL,
	"job_id" numeric(78, 0) NOT NULL,
	"shard" integer NOT NULL,
	"worker" text NOT NULL,
	"shard_root" text NOT NULL,
	"units" bigint NOT NULL,
	"signature" text NOT NULL,
	"outputs" text NOT NULL,
	"leaves" jsonb NOT NULL,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "request_nonces" (
	"account" text NOT NULL,
	"nonce" numeric(78, 0) NOT NULL,
	"expiry" bigint NOT NULL,
	CONSTRAINT "request_nonces_account_nonce_pk" PRIMARY KEY("account","nonce")
);
--> statement-breakpoint
CREATE TABLE "samples" (
	"batch_id" numeric(78, 0) NOT NULL,
	"sample" integer NOT NULL,
	"position" integer NOT NULL,
	"task_index" integer NOT NULL,
	"shard" integer NOT NULL,
	"range" integer NOT NULL,
	"worker" text NOT NULL,
	"candidates" jsonb NOT NULL,
	"seed" text NOT NULL,
	"asked_to" text,
	"asked_until" bigint,
	"state" text NOT NULL,
	CONSTRAINT "samples_batch_id_sample_pk" PRIMARY KEY("batch_id","sample")
);
--> statement-breakpoint
CREATE TABLE "seat_counts" (
	"capability" text NOT NULL,
	"from_block" bigint NOT NULL,
	"seats" integer NOT NULL,
	CONSTRAINT "seat_counts_capability_from_block_pk" PRIMARY KEY("capability","from_block")
);
--> statement-breakpoint
CREATE TABLE "seats" (
	"capability" text NOT NULL,
	"seat" integer NOT NULL,
	"from_block" bigint NOT NULL,
	"owner" text NOT NULL,
	CONSTRAINT "seats_capability_seat_from_block_pk" PRIMARY KEY("capability","seat","from_block")
);
--> statement-breakpoint
CREATE TABLE "shards" (
	"job_id" numeric(78, 0) NOT NULL,
	"shard" integer NOT NULL,
	"state" text NOT NULL,
	"inputs" text NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"lease_hash" text,
	"worker" text,
	"units" bigint,
	"batch_id" numeric(78, 0),
	"available_at" bigint DEFAULT 0 NOT NULL,
	"received_at" timestamp with time zone,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "shards_job_id_shard_pk" PRIMARY KEY("job_id","shard")
);
--> statement-breakpoint
CREATE TABLE "verdicts" (
	"batch_id" numeric(78, 0) NOT NULL,
	"sample" integer NOT NULL,
	"verifier" text NOT NULL,
	"position" integer NOT NULL,
	"units" bigint NOT NULL,
	"output_commitment" text NOT NULL,
	"keyed_digest" text NOT NULL,
	"verdict_hash" text NOT NULL,
	"signature" text NOT NULL,
	"agrees" boolean NOT NULL,
	"used" boolean DEFAULT false NOT NULL,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "verdicts_batch_id_sample_verifier_pk" PRIMARY KEY("batch_id","sample","verifier")
);
--> statement-breakpoint
CREATE TABLE "workers" (
	"account" text PRIMARY KEY NOT NULL,
	"session_key" text NOT NULL,
	"version" text NOT NULL,
	"profiles" jsonb NOT NULL,
	"threads" integer NOT NULL,
	"device" text NOT NULL,
	"verify_only" boolean NOT NULL,
	"public_url" text,
	"first_seen" timestamp with time zone DEFAULT now() NOT NULL,
	"last_seen" timestamp with time zone DEFAULT now() NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"cooled_until" timestamp with time zone,
	"refused" jsonb DEFAULT '[]'::jsonb NOT NULL
);
--> statement-breakpoint
CREATE INDEX "batch_plans_job" ON "batch_plans" USING btree ("job_id","state");--> statement-breakpoint
CREATE INDEX "batch_plans_root" ON "batch_plans" USING btree ("root");--> statement-breakpoint
CREATE UNIQUE INDEX "batches_number" ON "batches" USING btree ("job_id","number");--> statement-breakpoint
CREATE INDEX "batches_state" ON "batches" USING btree ("state");--> statement-breakpoint
CREATE INDEX "chain_logs_event" ON "chain_logs" USING btree ("event","block");--> statement-breakpoint
CREATE INDEX "chain_logs_subject" ON "chain_logs" USING btree ("subject","block","log_index");--> statement-breakpoint
CREATE INDEX "demands_batch" ON "demands" USING btree ("batch_id");--> statement-breakpoint
CREATE INDEX "demands_state" ON "demands" USING btree ("state","deadline");--> statement-breakpoint
CREATE INDEX "disputes_batch" ON "disputes" USING btree ("batch_id");--> statement-breakpoint
CREATE INDEX "disputes_state" ON "disputes" USING btree ("state");--> statement-breakpoint
CREATE INDEX "events_job" ON "events" USING btree ("job_id","id");--> statement-breakpoint
CREATE INDEX "events_worker" ON "events" USING btree ("worker","id");--> statement-breakpoint
CREATE INDEX "events_batch" ON "events" USING btree ("batch_id","id");--> statement-breakpoint
CREATE INDEX "jobs_requester" ON "jobs" USING btree ("requester");--> statement-breakpoint
CREATE INDEX "jobs_state" ON "jobs" USING btree ("state","created_at");--> statement-breakpoint
CREATE INDEX "keys_account" ON "keys" USING btree ("account");--> statement-breakpoint
CREATE INDEX "leases_worker" ON "leases" USING btree ("worker","state");--> statement-breakpoint
CREATE INDEX "leases_expiry" ON "leases" USING btree ("state","expiry");--> statement-breakpoint
CREATE INDEX "leases_shard" ON "leases" USING btree ("job_id","shard");--> statement-breakpoint
CREATE UNIQUE INDEX "outbox_key" ON "outbox" USING btree ("sender","key");--> statement-breakpoint
CREATE INDEX "outbox_state" ON "outbox" USING btree ("sender","state","id");--> statement-breakpoint
CREATE INDEX "outbox_txs_state" ON "outbox_txs" USING btree ("sender","state");--> statement-breakpoint
CREATE INDEX "ranges_worker" ON "ranges" USING btree ("worker");--> statement-breakpoint
CREATE INDEX "receipts_shard" ON "receipts" USING btree ("job_id","shard");--> statement-breakpoint
CREATE INDEX "request_nonces_expiry" ON "request_nonces" USING btree ("expiry");--> statement-breakpoint
CREATE INDEX "samples_state" ON "samples" USING btree ("state");--> statement-breakpoint
CREATE INDEX "samples_asked" ON "samples" USING btree ("asked_to","state");--> statement-breakpoint
CREATE INDEX "seats_owner" ON "seats" USING btree ("owner");--> statement-breakpoint
CREATE INDEX "shards_state" ON "shards" USING btree ("state","updated_at");--> statement-breakpoint
CREATE INDEX "shards_batch" ON "shards" USING btree ("batch_id");--> statement-breakpoint
CREATE INDEX "shards_worker" ON "shards" USING btree ("worker","state");--> statement-breakpoint
CREATE INDEX "verdicts_verifier" ON "verdicts" USING btree ("verifier");--> statement-breakpoint
CREATE INDEX "workers_seen" ON "workers" USING btree ("last_seen");