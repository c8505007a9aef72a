"""The book of customers: what each group and each customer is offered, and whether that pays."""
