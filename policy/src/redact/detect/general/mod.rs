//! What is looked for only where a policy asks for it: links, dates, ids, digests, postal codes.
